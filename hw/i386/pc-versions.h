/*
 * pc-versions.h: the versioned names of the PC boards. Both references' names are taken; all are the same hardware here, the one the
 * newest has, unless a row's number of the board's `compat` table says otherwise. The last one in each column is what "pc" and "q35" mean.
 */
#ifndef HW_I386_PC_VERSIONS_H
#define HW_I386_PC_VERSIONS_H

#define PC_VERSIONS(P, Q)                                                                                                   \
    P(1_4, "1.4", false) P(1_5, "1.5", false) P(1_6, "1.6", false) P(1_7, "1.7", false) P(2_0, "2.0", false)                   \
    P(2_1, "2.1", false) P(2_2, "2.2", false) P(2_3, "2.3", false)                                                              \
    P(2_4, "2.4", false) Q(2_4, "2.4", false) P(2_5, "2.5", false) Q(2_5, "2.5", false) P(2_6, "2.6", false)                     \
    Q(2_6, "2.6", false) P(2_7, "2.7", false) Q(2_7, "2.7", false) P(2_8, "2.8", false) Q(2_8, "2.8", false)                     \
    P(2_9, "2.9", false) Q(2_9, "2.9", false) P(2_10, "2.10", false) Q(2_10, "2.10", false) P(2_11, "2.11", false)               \
    Q(2_11, "2.11", false) P(2_12, "2.12", false) Q(2_12, "2.12", false) P(3_0, "3.0", false) Q(3_0, "3.0", false)               \
    P(3_1, "3.1", false) Q(3_1, "3.1", false) P(4_0, "4.0", false) Q(4_0, "4.0", false) Q(4_0_1, "4.0.1", false)                 \
    P(4_1, "4.1", false) Q(4_1, "4.1", false) P(4_2, "4.2", false) Q(4_2, "4.2", false) P(5_0, "5.0", false)                     \
    Q(5_0, "5.0", false) P(5_1, "5.1", false) Q(5_1, "5.1", false) P(5_2, "5.2", false) Q(5_2, "5.2", false)                     \
    P(6_0, "6.0", false) Q(6_0, "6.0", false) P(6_1, "6.1", false) Q(6_1, "6.1", false) P(6_2, "6.2", false)                     \
    Q(6_2, "6.2", false) P(7_0, "7.0", false) Q(7_0, "7.0", false) P(7_1, "7.1", false) Q(7_1, "7.1", false)                     \
    P(7_2, "7.2", false) Q(7_2, "7.2", false) P(8_0, "8.0", false) Q(8_0, "8.0", false) P(8_1, "8.1", false)                     \
    Q(8_1, "8.1", false) P(8_2, "8.2", false) Q(8_2, "8.2", false) P(9_0, "9.0", false) Q(9_0, "9.0", false)                     \
    P(9_1, "9.1", false) Q(9_1, "9.1", false) P(9_2, "9.2", false) Q(9_2, "9.2", false) P(10_0, "10.0", false)                   \
    Q(10_0, "10.0", false) P(10_1, "10.1", false) Q(10_1, "10.1", false) P(10_2, "10.2", false) Q(10_2, "10.2", false)           \
    P(11_0, "11.0", false) Q(11_0, "11.0", false) P(11_1, "11.1", true) Q(11_1, "11.1", true)

#endif
