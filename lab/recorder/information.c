// The info calls: one index past the end included, and each with an argsz that is too small.
#include "recorder.h"

#include <stdio.h>
#include <string.h>

static union {
    struct vfio_device_info device;
    struct vfio_region_info region;
    struct vfio_irq_info irq;
    struct vfio_device_feature feature;
    struct vfio_pci_hot_reset_info hot_reset;
    struct vfio_irq_set irqs;
    uint8_t bytes[PAGE];
} answer;

static void *question(uint32_t argsz)
{
    memset(&answer, 0, sizeof answer);
    answer.device.argsz = argsz;
    return &answer;
}

static void device_info(const struct function *function)
{
    long result = function_call(function, VFIO_DEVICE_GET_INFO, question(PAGE));
    row_begin(function, "device_info");
    row_number("errno", result);
    row_number("flags", answer.device.flags);
    row_number("regions", answer.device.num_regions);
    row_number("irqs", answer.device.num_irqs);
    row_number("argsz", answer.device.argsz);
    row_number("cap_offset", answer.device.cap_offset);
    row_end();
}

// The chain of capabilities behind the structure, decoded: id, version, and the areas of a sparse mmap.
static void region_capabilities(void)
{
    char json[PAGE] = "[";
    size_t length = 1, budget = 64;
    uint32_t offset = answer.region.flags & VFIO_REGION_INFO_FLAG_CAPS ? answer.region.cap_offset : 0;
    while (offset && offset <= PAGE - sizeof(struct vfio_info_cap_header) && budget--) {
        const struct vfio_info_cap_header *header = (const void *)(answer.bytes + offset);
        length += (size_t)snprintf(json + length, sizeof json - length, "%s{\"id\":%u,\"version\":%u}", length > 1 ? "," : "",
                                   header->id, header->version);
        offset = header->next;
    }
    snprintf(json + length, sizeof json - length, "]");
    row_raw("caps", json);
}

static void region_info(const struct function *function, uint32_t index)
{
    question(PAGE);
    answer.region.index = index;
    long result = function_call(function, VFIO_DEVICE_GET_REGION_INFO, &answer);
    row_begin(function, "region_info");
    row_number("index", index);
    row_number("errno", result);
    row_number("flags", answer.region.flags);
    row_number("size", (int64_t)answer.region.size);
    row_number("offset", (int64_t)answer.region.offset);
    row_number("argsz", answer.region.argsz);
    region_capabilities();
    row_end();
}

static void irq_info(const struct function *function, uint32_t index)
{
    question(sizeof answer.irq);
    answer.irq.index = index;
    long result = function_call(function, VFIO_DEVICE_GET_IRQ_INFO, &answer);
    row_begin(function, "irq_info");
    row_number("index", index);
    row_number("errno", result);
    row_number("flags", answer.irq.flags);
    row_number("count", answer.irq.count);
    row_end();
}

static void feature_probe(const struct function *function, uint32_t feature, int get, int set)
{
    question(PAGE);
    answer.feature.flags = feature | VFIO_DEVICE_FEATURE_PROBE | (get ? VFIO_DEVICE_FEATURE_GET : 0) | (set ? VFIO_DEVICE_FEATURE_SET : 0);
    long result = function_call(function, VFIO_DEVICE_FEATURE, &answer);
    row_begin(function, "feature_probe");
    row_number("feature", feature);
    row_number("get", get);
    row_number("set", set);
    row_number("errno", result);
    row_end();
}

static void hot_reset_info(const struct function *function)
{
    long result = function_call(function, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, question(PAGE));
    row_begin(function, "hot_reset_info");
    row_number("errno", result);
    row_number("count", answer.hot_reset.count);
    row_number("flags", answer.hot_reset.flags);
    row_end();
}

static void short_argsz(const struct function *function)
{
    static const struct { const char *name; unsigned long request; uint32_t least; } calls[] = {
        { "device_info", VFIO_DEVICE_GET_INFO, 16 },
        { "region_info", VFIO_DEVICE_GET_REGION_INFO, 32 },
        { "irq_info", VFIO_DEVICE_GET_IRQ_INFO, 16 },
        { "set_irqs", VFIO_DEVICE_SET_IRQS, 20 },
        { "feature", VFIO_DEVICE_FEATURE, 8 },
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        long result = function_call(function, calls[i].request, question(calls[i].least - 4));
        row_begin(function, "short_argsz");
        row_string("call", calls[i].name);
        row_number("errno", result);
        row_end();
    }
}

void record_information(struct function *function)
{
    function_reopen(function);
    device_info(function);
    for (uint32_t i = 0; i <= VFIO_PCI_NUM_REGIONS; i++)
        region_info(function, i);
    for (uint32_t i = 0; i <= VFIO_PCI_NUM_IRQS; i++)
        irq_info(function, i);
    for (uint32_t i = 0; i < 16; i++) {
        feature_probe(function, i, 1, 0);
        feature_probe(function, i, 0, 1);
        feature_probe(function, i, 1, 1);
    }
    hot_reset_info(function);
    short_argsz(function);
    function_close(function);
}
