// Stands in for MindIE's log.h: errors that go to its log file are printed, everything else is dropped.
#pragma once
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <unordered_map>

#include "common_util.h"
#include "log_config.h"

#define MINDIE_LLM_LOG_ERROR(msg, ...) \
    do { std::cout << msg << std::endl; } while (0)
#define LINGCTL_DROP(msg) \
    do { std::ostringstream dropped; dropped << msg; } while (0)
#define MINDIE_LLM_LOG_WARN(msg, ...) LINGCTL_DROP(msg)
#define MINDIE_LLM_LOG_INFO(msg, ...) LINGCTL_DROP(msg)
#define MINDIE_LLM_LOG_DEBUG(msg, ...) LINGCTL_DROP(msg)
#define ULOG_ERROR(...) do {} while (0)
#define ULOG_WARN(...) do {} while (0)
#define ULOG_INFO(...) do {} while (0)
#define ULOG_DEBUG(...) do {} while (0)
