// Reads of the BARs and the ROM with memory decode off and on, from their start and around their end.
#include "recorder.h"

#include <unistd.h>

static void reads_at(const struct function *function, const struct vfio_region_info *region, int enabled, int from_end, uint64_t offset)
{
    static const uint32_t widths[] = { 1, 2, 3, 4, 8, 16 };
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        long result = result_of(pread(function->device, bytes, widths[i], (off_t)(region->offset + offset)));
        row_begin(function, "region_read");
        row_number("index", region->index);
        row_number("enabled", enabled);
        row_number("from_end", from_end);
        row_number("offset", (int64_t)offset);
        row_number("width", widths[i]);
        row_number("result", result);
        row_end();
    }
}

static void reads_of(struct function *function, uint32_t index, int enabled)
{
    uint16_t command = enabled ? 2 : 0;
    function_reopen(function);
    struct vfio_region_info region = function_region(function, index);
    config_write(function, 4, &command, sizeof command);
    for (uint64_t offset = 0; offset < 4; offset++)
        reads_at(function, &region, enabled, 0, offset);
    reads_at(function, &region, enabled, 1, region.size < 4 ? 0 : region.size - 4);
    reads_at(function, &region, enabled, 1, region.size < 1 ? 0 : region.size - 1);
    reads_at(function, &region, enabled, 1, region.size);
    reads_at(function, &region, enabled, 1, region.size + 4);
    function_close(function);
}

void record_region_reads(struct function *function)
{
    for (uint32_t index = VFIO_PCI_BAR0_REGION_INDEX; index <= VFIO_PCI_ROM_REGION_INDEX; index++)
        for (int enabled = 0; enabled <= 1; enabled++)
            reads_of(function, index, enabled);
}
