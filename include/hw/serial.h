/*
 * serial.h: the 16550A UART that "serial-mm", "isa-serial" and others give a bus and addresses.
 *
 * SerialState is the first member of the device's struct; serial_regs are its eight registers, one byte apart.
 */
#ifndef HW_SERIAL_H
#define HW_SERIAL_H

#include "hw/device.h"
#include "softmmu/chardev.h"
#include "softmmu/clock.h"

enum { SERIAL_FIFO_BYTES = 16, SERIAL_N_REGS = 8 };

typedef struct SerialFifo {
    uint8_t data[SERIAL_FIFO_BYTES];
    uint8_t head, count;
} SerialFifo;

typedef struct SerialState {
    Device dev;
    CharFrontend chr;
    Irq *irq;
    uint32_t baudbase;
    bool wakeup;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t divisor;
    SerialFifo rx, tx;
    uint8_t rx_break;      /* the newest byte of rx is a break */
    bool thre_pending;     /* the empty-transmitter interrupt waits to be read */
    bool timeout_pending;
    Timer timeout;
} SerialState;

extern const Register serial_regs[SERIAL_N_REGS];
extern const StateDesc serial_state;

/* For the device's realize(), unrealize() and reset phases. `name` is for messages. */
NODISCARD bool serial_realize(SerialState *s, const char *name, Error **errp);
void serial_unrealize(Device *dev);
void serial_reset_enter(Device *dev, ResetKind kind);
void serial_reset_exit(Device *dev, ResetKind kind);
/* In reset_hold, and for the state's post_load: where the interrupt goes. */
void serial_connect(SerialState *s, Irq *irq);

#endif
