// One sequence for each interrupt index: what a user does with it from enabling to disabling, and what is refused.
#include "recorder.h"

#include <unistd.h>

enum {
    NONE = VFIO_IRQ_SET_DATA_NONE,
    BOOL = VFIO_IRQ_SET_DATA_BOOL,
    EVENTFD = VFIO_IRQ_SET_DATA_EVENTFD,
    MASK = VFIO_IRQ_SET_ACTION_MASK,
    UNMASK = VFIO_IRQ_SET_ACTION_UNMASK,
    TRIGGER = VFIO_IRQ_SET_ACTION_TRIGGER,
};

// The count that was waiting, or errno negated.
static int64_t take(int eventfd)
{
    uint64_t count = 0;
    long result = result_of(read(eventfd, &count, sizeof count));
    return result < 0 ? result : (int64_t)count;
}

static void script(struct function *function, uint32_t index)
{
    // MSI is the rival of all but itself.
    uint32_t other = index == VFIO_PCI_MSI_IRQ_INDEX ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;
    int bad = 9999, none = -1, event = new_eventfd(function), unmask = new_eventfd(function), rival = new_eventfd(function);
    int pair[2] = { event, unmask };
    uint8_t yes = 1;
    int64_t results[16];
    size_t n = 0;
    function_reopen(function);
    results[n++] = set_irqs(function, index, EVENTFD | TRIGGER, 0, 1, &bad, sizeof bad);
    results[n++] = set_irqs(function, index, EVENTFD | TRIGGER, 0, 1, &event, sizeof event);
    results[n++] = set_irqs(function, index, NONE | TRIGGER, 0, 1, &yes, 0);
    results[n++] = take(event);
    results[n++] = set_irqs(function, index, BOOL | TRIGGER, 0, 1, &yes, sizeof yes);
    results[n++] = take(event);
    results[n++] = set_irqs(function, index, NONE | MASK, 0, 1, &yes, 0);
    results[n++] = set_irqs(function, index, NONE | UNMASK, 0, 1, &yes, 0);
    results[n++] = set_irqs(function, index, EVENTFD | UNMASK, 0, 1, &unmask, sizeof unmask);
    results[n++] = set_irqs(function, other, EVENTFD | TRIGGER, 0, 1, &rival, sizeof rival);
    results[n++] = set_irqs(function, index, EVENTFD | TRIGGER, 0, 1, &none, sizeof none);
    results[n++] = set_irqs(function, index, NONE | TRIGGER, 0, 1, &yes, 0);
    results[n++] = set_irqs(function, index, NONE | TRIGGER, 0, 0, &yes, 0);
    results[n++] = set_irqs(function, index, NONE | TRIGGER, 0, 0, &yes, 0);
    results[n++] = set_irqs(function, index, EVENTFD | TRIGGER, 1, 2, pair, sizeof pair);
    results[n++] = set_irqs(function, index, NONE | TRIGGER, 0, 0, &yes, 0);
    row_begin(function, "irq_script");
    row_number("index", index);
    row_numbers("results", results, n);
    row_end();
    function_close(function);
    close(event);
    close(unmask);
    close(rival);
}

void record_irq_scripts(struct function *function)
{
    for (uint32_t index = 0; index < VFIO_PCI_NUM_IRQS; index++)
        script(function, index);
}
