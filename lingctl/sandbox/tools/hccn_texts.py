"""Longer texts of the emulated hccn_tool."""

from __future__ import annotations

COUNTERS = (
    *(f"mac_{way}_mac_pause_num" for way in ("tx", "rx")),
    *(
        f"mac_{way}_pfc_{part}pkt_num"
        for way in ("tx", "rx")
        for part in ("", *(f"pri{priority}_" for priority in range(8)))
    ),
    *(
        f"mac_{way}_{kind}_num"
        for way in ("tx", "rx")
        for kind in ("total_pkt", "total_oct", "bad_pkt", "bad_oct")
    ),
    "mac_rx_fcs_err_pkt_num",
    *(f"roce_{way}_{kind}_pkt_num" for way in ("rx", "tx") for kind in ("rc", "all", "err")),
    "roce_cqe_num",
    "roce_rx_cnp_pkt_num",
    "roce_tx_cnp_pkt_num",
    "roce_unexpected_ack_num",
    "roce_out_of_order_num",
    "roce_verification_err_num",
    "roce_qp_status_err_num",
    "roce_new_pkt_rty_num",
    "roce_ecn_db_num",
    *(f"nic_{way}_all_{kind}_num" for way in ("tx", "rx") for kind in ("pkg", "oct")),
)


OPTICS = """\
optical info:
present              : present
temperature          : 41 C
high power enable reg: enabled
vendor name          : SANDBOX
vendor part number   : QSFP56-200G-SR4
vendor serial number : SB{serial:08d}
vendor org unique id : 0xac 0x4a 0x0
xsfp identifier      : QSFP+ or later
xsfp wave length     : 850 nm
manufact date code   : 2024.6.18
Vcc                  : 3262.90 mV
{powers}Vcc High Thres       : 3465.00 mV
Vcc Low Thres        : 3135.00 mV
Temp High Thres      : 70 C
Temp Low Thres       : 0 C
TxPower High Thres   : 3.5481 mW
TxPower Low Thres    : 0.2818 mW
RxPower High Thres   : 3.5481 mW
RxPower Low Thres    : 0.1445 mW
{biases}Tx Los Flag          : 0x0
Rx Los Flag          : {lost}
Tx LoL Flag          : 0x0
Rx LoL Flag          : {lost}
{ratios}"""


# Form of the published hccn_tool (`hicann/driver`); names and dates are invented.
CERTIFICATE = """\
dev_id:{card}, [pub cert] info:
\t issuer[/C=CN/O=sandbox/CN=sandbox CA]
\t start_time[Wed Jan  1 00:00:00 2025 GMT]
\t end_time[Mon Jan  1 00:00:00 2035 GMT]
\t tls expiration status[0](0:normal, 1:near expiration, 2:has expired)"""


LLDP = """\
Chassis ID TLV
\tMAC: 00:00:5e:00:53:{number:02x}
Port ID TLV
\tIfname: {port}
System Description TLV
\tVersatile Routing Platform Software
VRP (R) software, Version 8.211 (sandbox)

System Capabilities TLV
\tEnabled capabilities: Bridge, Router
Maximum Frame Size TLV
\t9216
End of LLDPDU TLV"""
