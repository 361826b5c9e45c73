// Config space: whole, by odd widths and alignments, and what single writes do to it.
#include "recorder.h"

#include <string.h>

static void whole(const struct function *function, const char *row, const uint8_t *bytes)
{
    row_begin(function, row);
    row_number("size", function->config_size);
    row_bytes("bytes", bytes, function->config_size);
    row_end();
}

void record_raw_config(struct function *function, const char *row)
{
    uint8_t bytes[CONFIG_SIZE_MAX];
    if (hardware_read(function, 0, bytes, function->config_size) != function->config_size)
        die(function, "the config space in sysfs");
    whole(function, row, bytes);
}

static void widths(const struct function *function)
{
    static const struct { uint32_t offset, width; } reads[] = {
        { 0, 1 }, { 0, 2 }, { 0, 3 }, { 0, 4 }, { 0, 5 }, { 0, 8 }, { 1, 1 }, { 1, 2 }, { 1, 4 }, { 2, 2 }, { 2, 4 }, { 3, 1 }, { 3, 2 },
        { 4, 8 }, { 61, 3 }, { 254, 2 }, { 254, 4 }, { 255, 1 }, { 255, 2 }, { 256, 4 }, { 4092, 4 }, { 4094, 2 }, { 4094, 4 },
        { 4095, 1 }, { 4095, 2 }, { 4096, 1 }, { 4096, 4 }, { 8192, 4 }, { 0, 256 }, { 0, 4096 }, { 0, 8192 },
    };
    uint8_t bytes[8192];
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        long result = config_read(function, reads[i].offset, bytes, reads[i].width);
        row_begin(function, "config_width");
        row_number("offset", reads[i].offset);
        row_number("width", reads[i].width);
        row_number("result", result);
        if (result > 0 && reads[i].width <= 8)
            row_bytes("bytes", bytes, (size_t)result);
        row_end();
    }
}

// What a read shows right after open, whole; it also tells which dwords are worth a write.
static void virtual_config(const struct function *function, uint8_t *bytes)
{
    if (config_read(function, 0, bytes, function->config_size) != function->config_size)
        die(function, "the config region");
}

void record_config_reads(struct function *function)
{
    uint8_t bytes[CONFIG_SIZE_MAX];
    function_reopen(function);
    virtual_config(function, bytes);
    whole(function, "virtual_config", bytes);
    record_raw_config(function, "raw_config_open");
    widths(function);
    function_close(function);
}

// One write on a fresh open. quiet: no row if the dword reads back as before.
static void write_once(struct function *function, uint32_t offset, uint32_t width, uint32_t value, int quiet)
{
    uint32_t before = 0, after = 0, hardware = 0, dword = offset & ~3u;
    function_reopen(function);
    config_read(function, dword, &before, 4);
    long wrote = config_write(function, offset, &value, width);
    long read = config_read(function, dword, &after, 4);
    if (hardware_read(function, dword, &hardware, 4) != 4)
        die(function, "a dword of the config space in sysfs");
    if (quiet && before == after)
        return;
    row_begin(function, "config_write");
    row_number("offset", offset);
    row_number("width", width);
    row_number("value", value);
    row_number("wrote", wrote);
    row_number("read", read);
    row_bytes("before", &before, 4);
    row_bytes("after", &after, 4);
    row_bytes("hardware", &hardware, 4);
    row_end();
}

void record_config_writes(struct function *function)
{
    uint8_t bytes[CONFIG_SIZE_MAX];
    static const uint32_t zero;
    function_reopen(function);
    virtual_config(function, bytes);
    for (uint32_t width = 4; width; width /= 2)
        for (uint32_t offset = 0; offset < function->config_size; offset += width) {
            // The header, dwords that hold something, and a sample of the others.
            if (offset >= 64 && offset % 64 && !memcmp(bytes + (offset & ~3u), &zero, 4))
                continue;
            write_once(function, offset, width, width == 4 ? 0xffffffff : (1u << 8 * width) - 1, 0);
            if (width == 4) {
                write_once(function, offset, width, 0, 1);
                write_once(function, offset, width, 0x5a5aa5a5, 1);
            }
        }
    function_close(function);
}
