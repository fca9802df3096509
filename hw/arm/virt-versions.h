/*
 * virt-versions.h: the versioned names of the board. Both references' names are taken; all are the same hardware but for what virt.h's
 * VirtCompat lists. The last one is what "virt" means.
 */
#ifndef HW_ARM_VIRT_VERSIONS_H
#define HW_ARM_VIRT_VERSIONS_H

/* VERSION(identifier, number, name, is the newest) */
#define VIRT_VERSIONS(VERSION)                                                                                                      \
    VERSION(2_6, 206, "2.6", false) VERSION(2_7, 207, "2.7", false) VERSION(2_8, 208, "2.8", false) VERSION(2_9, 209, "2.9", false)      \
    VERSION(2_10, 210, "2.10", false) VERSION(2_11, 211, "2.11", false) VERSION(2_12, 212, "2.12", false)                            \
    VERSION(3_0, 300, "3.0", false) VERSION(3_1, 301, "3.1", false) VERSION(4_0, 400, "4.0", false) VERSION(4_1, 401, "4.1", false)      \
    VERSION(4_2, 402, "4.2", false) VERSION(5_0, 500, "5.0", false) VERSION(5_1, 501, "5.1", false) VERSION(5_2, 502, "5.2", false)      \
    VERSION(6_0, 600, "6.0", false) VERSION(6_1, 601, "6.1", false) VERSION(6_2, 602, "6.2", false) VERSION(7_0, 700, "7.0", false)      \
    VERSION(7_1, 701, "7.1", false) VERSION(7_2, 702, "7.2", false) VERSION(8_0, 800, "8.0", false) VERSION(8_1, 801, "8.1", false)      \
    VERSION(8_2, 802, "8.2", false) VERSION(9_0, 900, "9.0", false) VERSION(9_1, 901, "9.1", false) VERSION(9_2, 902, "9.2", false)      \
    VERSION(10_0, 1000, "10.0", false) VERSION(10_1, 1001, "10.1", false) VERSION(10_2, 1002, "10.2", false)                         \
    VERSION(11_0, 1100, "11.0", false) VERSION(11_1, 1101, "11.1", true)

#endif
