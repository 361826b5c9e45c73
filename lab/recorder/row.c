#include "recorder.h"

#include <inttypes.h>
#include <stdio.h>

void row_begin(const struct function *function, const char *row)
{
    printf("{\"device\":\"%s\",\"row\":\"%s\"", function->name, row);
}

void row_number(const char *name, int64_t value) { printf(",\"%s\":%" PRId64, name, value); }

void row_string(const char *name, const char *value) { printf(",\"%s\":\"%s\"", name, value); }

void row_bytes(const char *name, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    printf(",\"%s\":\"", name);
    for (size_t i = 0; i < size; i++)
        printf("%02x", bytes[i]);
    putchar('"');
}

void row_numbers(const char *name, const int64_t *values, size_t count)
{
    printf(",\"%s\":[", name);
    for (size_t i = 0; i < count; i++)
        printf("%s%" PRId64, i ? "," : "", values[i]);
    putchar(']');
}

void row_raw(const char *name, const char *json) { printf(",\"%s\":%s", name, json); }

void row_end(void) { puts("}"); }
