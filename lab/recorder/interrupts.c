// SET_IRQS: all flag words, against ranges and payloads that fit and that do not.
#include "recorder.h"

#include <string.h>
#include <sys/eventfd.h>

static const struct range { uint32_t start, count, payload; } ranges[] = {
    { 0, 0, 0 }, { 0, 1, 0 }, { 0, 1, 4 }, { 0, 1, 1 }, { 0, 2, 8 }, { 1, 1, 4 }, { 0, 8, 32 }, { 7, 1, 4 },
    { UINT32_MAX, 1, 4 }, { 0, UINT32_MAX, 4 }, { 4096, 1, 4 },
}, *const one = &ranges[2];

int new_eventfd(const struct function *function)
{
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (descriptor < 0)
        die(function, "eventfd");
    return descriptor;
}

long set_irqs(const struct function *function, uint32_t index, uint32_t flags, uint32_t start, uint32_t count, const void *data,
              uint32_t payload)
{
    union {
        struct vfio_irq_set set;
        uint8_t bytes[PAGE];
    } call = { .set = { .argsz = sizeof call.set + payload, .flags = flags, .index = index, .start = start, .count = count } };
    memcpy(call.set.data, data, payload);
    return function_call(function, VFIO_DEVICE_SET_IRQS, &call);
}

static void try(struct function *function, uint32_t index, uint32_t flags, const struct range *range)
{
    static int eventfds[EVENTFDS];
    uint8_t data[EVENTFDS * sizeof(int)];
    if (!*eventfds)
        for (size_t i = 0; i < EVENTFDS; i++)
            eventfds[i] = new_eventfd(function);
    if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
        memcpy(data, eventfds, sizeof data);
    else
        memset(data, 1, sizeof data);
    long result = set_irqs(function, index, flags, range->start, range->count, data, range->payload);
    row_begin(function, "set_irqs");
    row_number("index", index);
    row_number("flags", flags);
    row_number("start", range->start);
    row_number("count", range->count);
    row_number("payload", range->payload);
    row_number("errno", result);
    row_end();
    if (result >= 0)
        function_reopen(function);
}

// With more than one data type or action the range does not matter: one will do.
void record_set_irqs(struct function *function)
{
    function_reopen(function);
    for (uint32_t index = 0; index <= VFIO_PCI_NUM_IRQS; index++)
        for (uint32_t type = 0; type < 8; type++)
            for (uint32_t action = 0; action < 8; action++) {
                uint32_t flags = action << 3 | type;
                if (__builtin_popcount(flags) > 2)
                    try(function, index, flags, one);
                else
                    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
                        try(function, index, flags, &ranges[i]);
            }
    function_close(function);
}
