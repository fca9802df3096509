/*
 * hw-rtl8139.c: the RTL8139C+ through its registers: EEPROM, locks, timer, the ring and the descriptors, looped back to itself;
 * check sums, segmentation, tags, statistics; DMA that points at the controller itself.
 */
#include "hw/net/ipv4-offload.h"
#include "hw/net/rtl8139.h"
#include "softmmu/clock.h"
#include "tests/hw/storage.h"

#define BAR PCI_WINDOW
#define RING (RAM + 0x10000)
#define TX_DESC (RAM + 0x40000)
#define RX_DESC (RAM + 0x41000)
#define TALLY (RAM + 0x42000)
#define TX_DATA (RAM + 0x50000)
#define RX_DATA (RAM + 0x80000)
enum { RX_BYTES = 2048, LOOPBACK = RTL_TCR_LOOPBACK, N_RX = 8 };

static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static Device *nic;

static void st64(gpa addr, uint64_t value)
{
    st(addr + 4, 4, value >> 32);
    st(addr, 4, (uint32_t)value);
}

/* -- EEPROM ------------------------------------------------------------------------------------------------ */

static void pins(unsigned value)
{
    st(BAR + RTL_9346CR, 1, RTL_EEM_PROGRAM | RTL_EECS | value);
    st(BAR + RTL_9346CR, 1, RTL_EEM_PROGRAM | RTL_EECS | value | RTL_EESK);
}

static void shift_out(uint32_t bits, unsigned n)
{
    st(BAR + RTL_9346CR, 1, RTL_EEM_PROGRAM);
    while (n--) {
        pins(bits >> n & 1 ? RTL_EEDI : 0);
    }
}

static unsigned eeprom_read(unsigned word)
{
    unsigned value = 0;

    shift_out(6u << 6 | word, 9);
    CHECK(!(ld(BAR + RTL_9346CR, 1) & RTL_EEDO));
    for (unsigned i = 0; i < 16; i++) {
        pins(0);
        value = value << 1 | (ld(BAR + RTL_9346CR, 1) & RTL_EEDO);
    }
    st(BAR + RTL_9346CR, 1, 0);
    return value;
}

static void test_eeprom(void)
{
    CHECK_EQ(eeprom_read(0), 0x8129);
    CHECK_EQ(eeprom_read(1), 0x10ec);
    CHECK_EQ(eeprom_read(7), 0x5452);
    CHECK_EQ(eeprom_read(8), 0x1200);
    CHECK_EQ(eeprom_read(9), 0x5634);
    shift_out(5u << 22 | 20u << 16 | 0xbeef, 25); /* write without being enabled */
    CHECK_EQ(eeprom_read(20), 0);
    shift_out(4u << 6 | 0x30, 9);                 /* EWEN */
    shift_out(5u << 22 | 20u << 16 | 0xbeef, 25);
    CHECK_EQ(eeprom_read(20), 0xbeef);
    shift_out(7u << 6 | 20, 9);                   /* ERASE */
    CHECK_EQ(eeprom_read(20), 0xffff);
    shift_out(4u << 6, 9);                        /* EWDS */
    shift_out(5u << 22 | 20u << 16 | 0x1234, 25);
    CHECK_EQ(eeprom_read(20), 0xffff);
}

/* -- registers ------------------------------------------------------------------------------------------------ */

static void test_registers(void)
{
    CHECK_EQ(ld(BAR, 4), 0x12005452);
    CHECK_EQ(ld(BAR + 4, 2), 0x5634);
    CHECK_EQ(ld(BAR + RTL_TCR, 4), 0x74800000);
    CHECK_EQ(ld(BAR + RTL_CR, 1), 1);
    CHECK_EQ(ld(BAR + RTL_TSAD_ALL, 2), 0xf);
    st(BAR, 4, 0); /* locked */
    st(BAR + RTL_CONFIG1, 1, 0);
    CHECK_EQ(ld(BAR, 4), 0x12005452);
    CHECK_EQ(ld(BAR + RTL_CONFIG1, 1), 0x0c);
    st(BAR + RTL_9346CR, 1, RTL_EEM);
    st(BAR, 4, 0x11223344);
    CHECK_EQ(ld(BAR, 4), 0x11223344);
    st(BAR + RTL_9346CR, 1, RTL_EEM_LOAD); /* from the EEPROM again */
    CHECK_EQ(ld(BAR, 4), 0x12005452);
    CHECK_EQ(ld(BAR + RTL_9346CR, 1), 0);
    st(BAR + RTL_TCR, 4, LOOPBACK); /* only with TE */
    CHECK_EQ(ld(BAR + RTL_TCR, 4), 0x74800000);
    /* Parts of registers. */
    st(BAR + RTL_RBSTART, 4, 0x12345678);
    st(BAR + RTL_RBSTART + 1, 1, 0xab);
    CHECK_EQ(ld(BAR + RTL_RBSTART, 4), 0x1234ab78);
    CHECK_EQ(ld(BAR + RTL_RBSTART + 2, 2), 0x1234);
    st(BAR + RTL_IMR, 4, 0xffff);
    CHECK_EQ(ld(BAR + RTL_IMR, 4), RTL_INT_ALL);
    st(BAR + RTL_TPPOLL, 1, RTL_TPPOLL_SWINT);
    CHECK_EQ(ld(BAR + RTL_ISR, 2), RTL_INT_SWINT);
    CHECK(config_ld(nic, 4, 4) & PCI_STATUS_INTERRUPT << 16);
    st(BAR + RTL_ISR + 1, 1, RTL_INT_SWINT >> 8);
    CHECK_EQ(ld(BAR + RTL_ISR, 2), 0);
    CHECK(!(config_ld(nic, 4, 4) & PCI_STATUS_INTERRUPT << 16));
    st(BAR + RTL_CR, 1, RTL_CR_RST);
    CHECK_EQ(ld(BAR + RTL_IMR, 2), 0);
}

static void test_timer(void)
{
    clock_virtual_run(true);
    st(BAR + RTL_TCTR, 4, 0);
    st(BAR + RTL_TIMERINT, 4, 33000);
    WAIT(ld(BAR + RTL_ISR, 2) & RTL_INT_TIMEOUT);
    CHECK(ld(BAR + RTL_TCTR, 4) >= 33000);
    clock_virtual_run(false);
    st(BAR + RTL_TIMERINT, 4, 0);
    st(BAR + RTL_ISR, 2, 0xffff);
}

/* -- frames ------------------------------------------------------------------------------------------------------ */

static uint32_t make_frame(uint8_t *f, unsigned payload, uint8_t protocol)
{
    uint32_t l4 = protocol == IP_PROTO_TCP ? 20 : 8, total = 20 + l4 + payload;

    memset(f, 0, 14 + total);
    memcpy(f, mac, 6);
    memcpy(f + 6, mac, 6);
    stbe16(f + 12, 0x0800);
    f[14] = 0x45;
    stbe16(f + 16, (uint16_t)total);
    f[22] = 64;
    f[23] = protocol;
    stbe32(f + 26, 0x0a000001);
    stbe32(f + 30, 0x0a000002);
    if (protocol == IP_PROTO_TCP) {
        stbe32(f + 38, 1000);
        f[46] = 0x50;
        f[47] = 0x19; /* ACK, PSH, FIN */
    } else {
        stbe16(f + 38, (uint16_t)(8 + payload));
    }
    for (unsigned i = 0; i < payload; i++) {
        f[34 + l4 + i] = (uint8_t)(i * 7);
    }
    return 14 + total;
}

static void enable(bool cplus)
{
    st(BAR + RTL_CR, 1, RTL_CR_RST);
    if (cplus) {
        st(BAR + RTL_CPCR, 2, RTL_CPCR_TX | RTL_CPCR_RX | RTL_CPCR_RX_SUMS | RTL_CPCR_RX_VLAN);
        st64(BAR + RTL_TNPDS, TX_DESC);
        st64(BAR + RTL_RDSAR, RX_DESC);
        for (unsigned i = 0; i < N_RX; i++) {
            st(RX_DESC + i * 16, 4, RTL_DESC_OWN | (i == N_RX - 1 ? RTL_DESC_END : 0) | RX_BYTES);
            st(RX_DESC + i * 16 + 8, 8, RX_DATA + i * RX_BYTES);
        }
    } else {
        st(BAR + RTL_RBSTART, 4, RING);
    }
    st(BAR + RTL_CR, 1, RTL_CR_TE | RTL_CR_RE);
    st(BAR + RTL_TCR, 4, LOOPBACK);
    st(BAR + RTL_RCR, 4, RTL_RCR_APM | RTL_RCR_AB);
}

static unsigned next_slot;

static void send_c(const uint8_t *f, uint32_t n)
{
    unsigned i = next_slot++ % 4;

    put_bytes(TX_DATA, f, n);
    st(BAR + RTL_TSAD + 4 * i, 4, TX_DATA);
    st(BAR + RTL_TSD + 4 * i, 4, n);
    CHECK_EQ(ld(BAR + RTL_TSD + 4 * i, 4) & (RTL_TSD_OWN | RTL_TSD_TOK), RTL_TSD_OWN | RTL_TSD_TOK);
}

static void test_ring(void)
{
    uint8_t f[1600], got[1600];
    uint32_t n = make_frame(f, 1000, IP_PROTO_UDP), at = 0;

    enable(false);
    next_slot = 0;
    /* Round the 8 KiB a few times: with a split at the end every time. */
    for (unsigned i = 0; i < 40; i++) {
        uint32_t size = n + i % 3;
        f[100] = (uint8_t)i;
        send_c(f, size);
        CHECK(!(ld(BAR + RTL_CR, 1) & RTL_CR_BUFE));
        for (unsigned k = 0; k < size + 8; k++) {
            got[k] = (uint8_t)ld(RING + (at + k) % 8192, 1);
        }
        CHECK_EQ(ldle16(got), 0x4001); /* ROK, PAM */
        CHECK_EQ(ldle16(got + 2), size + 4);
        CHECK(!memcmp(got + 4, f, size));
        at = (at + 4 + size + 4 + 3) & ~3u;
        CHECK_EQ(ld(BAR + RTL_CBR, 2), at % 8192);
        st(BAR + RTL_CAPR, 2, (at % 8192 - 16) & 0xffff);
        CHECK(ld(BAR + RTL_CR, 1) & RTL_CR_BUFE);
    }
    /* Nobody takes them away: the ring fills, the rest is missed and counted. */
    for (unsigned i = 0; i < 10; i++) {
        send_c(f, n);
    }
    CHECK(ld(BAR + RTL_ISR, 2) & RTL_INT_RXOVW);
    CHECK_EQ(ld(BAR + RTL_MPC, 4), 3);
    /* Somebody else's frame, a multicast one without and with its bit in the filter. */
    st(BAR + RTL_RBSTART, 4, RING);
    f[5] ^= 1;
    send_c(f, n);
    CHECK(ld(BAR + RTL_CR, 1) & RTL_CR_BUFE);
    static const uint8_t all_hosts[6] = { 0x01, 0, 0x5e, 0, 0, 0x01 };
    memcpy(f, all_hosts, 6);
    st(BAR + RTL_RCR, 4, RTL_RCR_AM);
    send_c(f, n);
    CHECK(ld(BAR + RTL_CR, 1) & RTL_CR_BUFE);
    st(BAR + RTL_MAR + 3, 1, 0x80); /* bit 31: what Linux computes for 01:00:5e:00:00:01 */
    send_c(f, n);
    CHECK_EQ(ld(RING, 2), 0x8001);
    st(BAR + RTL_MAR + 3, 1, 0);
    /* Too long: aborted. */
    st(BAR + RTL_TSD + 4 * (next_slot % 4), 4, 0x701);
    CHECK(ld(BAR + RTL_TSD + 4 * (next_slot % 4), 4) & RTL_TSD_TABT);
    CHECK(ld(BAR + RTL_ISR, 2) & RTL_INT_TER);
}

static void send_cplus(const uint8_t *f, uint32_t n, uint32_t flags, uint32_t tag)
{
    put_bytes(TX_DATA, f, n);
    /* In two pieces. */
    st(TX_DESC + 4, 4, tag);
    st(TX_DESC + 8, 8, TX_DATA);
    st(TX_DESC + 20, 4, tag);
    st(TX_DESC + 24, 8, TX_DATA + 20);
    st(TX_DESC + 16, 4, RTL_DESC_OWN | RTL_DESC_LAST | RTL_DESC_END | flags | (n - 20));
    st(TX_DESC, 4, RTL_DESC_OWN | RTL_DESC_FIRST | flags | 20);
    st(BAR + RTL_TPPOLL, 1, RTL_TPPOLL_NORMAL);
    CHECK_EQ(ld(TX_DESC, 4), RTL_DESC_FIRST);
    CHECK_EQ(ld(TX_DESC + 16, 4), RTL_DESC_LAST | RTL_DESC_END);
}

static void test_descriptors(void)
{
    uint8_t f[8000], got[RX_BYTES];
    uint32_t n = make_frame(f, 501, IP_PROTO_TCP);
    Ipv4Frame ip;

    enable(true);
    send_cplus(f, n, 0x50000, 0); /* IPCS, TCPCS */
    uint32_t status = (uint32_t)ld(RX_DESC, 4);
    /* First and last, PAM, TCP with good sums. */
    CHECK_EQ(status, RTL_DESC_FIRST | RTL_DESC_LAST | 0x2000000 | 0x10000 | (n + 4));
    get_bytes(RX_DATA, got, n);
    bool parsed = ipv4_parse(got, n, &ip);
    CHECK(parsed && ipv4_sum_header(&ip) == 0xffff && ipv4_sum_l4(&ip) == 0xffff);
    CHECK(!memcmp(got + 54, f + 54, 501));
    send_cplus(f, n, 0, 0x20000 | 0x3412); /* bad sums, tagged 0x1234 */
    CHECK_EQ(ld(RX_DESC + 16, 4), RTL_DESC_FIRST | RTL_DESC_LAST | 0x2000000 | 0x10000 | 0xa000 | (n + 4));
    CHECK_EQ(ld(RX_DESC + 20, 4), 0x10000 | 0x3412);
    get_bytes(RX_DATA + RX_BYTES, got, n);
    CHECK(!memcmp(got, f, n));
    n = make_frame(f, 300, IP_PROTO_UDP);
    send_cplus(f, n, 0x60000, 0);
    CHECK_EQ(ld(RX_DESC + 32, 4), RTL_DESC_FIRST | RTL_DESC_LAST | 0x2000000 | 0x20000 | (n + 4));
    /* 5000 bytes in segments of 1400. */
    n = make_frame(f, 5000, IP_PROTO_TCP);
    send_cplus(f, n, 0x8000000 | 1400 << 16, 0x20000 | 0x0100);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t data = i < 3 ? 1400 : 800;
        CHECK_EQ(ld(RX_DESC + (3 + i) * 16, 4), RTL_DESC_FIRST | RTL_DESC_LAST | 0x2000000 | 0x10000 | (54 + data + 4));
        CHECK_EQ(ld(RX_DESC + (3 + i) * 16 + 4, 4), 0x10100);
        get_bytes(RX_DATA + (3 + i) * RX_BYTES, got, 54 + data);
        CHECK_EQ(ldbe32(got + 38), 1000 + i * 1400);
        CHECK_EQ(got[47], i < 3 ? 0x10 : 0x19);
        CHECK(!memcmp(got + 54, f + 54 + i * 1400, data));
    }
    /* One descriptor is left, at the ring's end: the second frame is missed. */
    n = make_frame(f, 300, IP_PROTO_UDP);
    send_cplus(f, n, 0x60000, 0);
    CHECK_EQ(ld(RX_DESC + 7 * 16, 4), RTL_DESC_END | RTL_DESC_FIRST | RTL_DESC_LAST | 0x2000000 | 0x20000 | (n + 4));
    send_cplus(f, n, 0x60000, 0);
    CHECK_EQ(ld(BAR + RTL_MPC, 4), 1);
    CHECK(ld(BAR + RTL_ISR, 2) & RTL_INT_RXOVW);
    /* Over three descriptors of 200 bytes. */
    for (unsigned i = 0; i < 3; i++) {
        st(RX_DESC + i * 16, 4, RTL_DESC_OWN | 200);
    }
    n = make_frame(f, 500, IP_PROTO_UDP);
    send_cplus(f, n, 0x60000, 0);
    status = 0x2000000 | 0x20000 | (n + 4);
    CHECK_EQ(ld(RX_DESC, 4), RTL_DESC_FIRST | status);
    CHECK_EQ(ld(RX_DESC + 16, 4), status);
    CHECK_EQ(ld(RX_DESC + 32, 4), RTL_DESC_LAST | status);
    st64(BAR + RTL_DTCCR, TALLY | RTL_DTCCR_DUMP);
    CHECK_EQ(ld(BAR + RTL_DTCCR, 4), (uint32_t)TALLY);
    CHECK(ld(TALLY, 8) >= 10);          /* sent */
    CHECK(ld(TALLY + 40, 8) >= 9);      /* received, to this address */
    CHECK(ld(TALLY + 28, 2) >= 1);      /* missed */
}

/* Descriptors and buffers that are the controller's own registers: nothing recurses, nothing is changed. */
static void test_itself(void)
{
    enable(true);
    st64(BAR + RTL_TNPDS, BAR);
    st(BAR + RTL_TPPOLL, 1, RTL_TPPOLL_NORMAL);
    st64(BAR + RTL_DTCCR, (BAR + 0xc0) | RTL_DTCCR_DUMP);
    CHECK_EQ(ld(BAR + RTL_CPCR, 2) & 3, 3);
    st64(BAR + RTL_TNPDS, TX_DESC);
    st(TX_DESC, 4, RTL_DESC_OWN | RTL_DESC_FIRST | RTL_DESC_LAST | RTL_DESC_END | 200);
    st(TX_DESC + 8, 8, BAR);
    st(BAR + RTL_TPPOLL, 1, RTL_TPPOLL_NORMAL);
    CHECK_EQ(ld(BAR + RTL_CPCR, 2) & 3, 3);
}

int main(void)
{
    storage_start();
    nic = storage_add("rtl8139", (const char *[]){ "mac", "52:54:00:12:34:56", "romfile", "", NULL });
    storage_ready();
    storage_map_bar(nic, 1, BAR);
    test_registers();
    test_eeprom();
    test_timer();
    test_ring();
    test_descriptors();
    test_itself();
    storage_check_state(nic);
    storage_finish();
    return test_result();
}
