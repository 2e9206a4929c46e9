// The few functions of {fmt} that its headers leave to a library.
#include <fmt/format-inl.h>

namespace fmt {
namespace detail {
template dragonbox::decimal_fp<float> dragonbox::to_decimal(float);
template dragonbox::decimal_fp<double> dragonbox::to_decimal(double);
template char decimal_point_impl(locale_ref);
template thousands_sep_result<char> thousands_sep_impl(locale_ref);
}  // namespace detail
}  // namespace fmt
