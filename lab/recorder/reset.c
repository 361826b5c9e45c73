// DEVICE_RESET, and what of the user's config space is there after it.
#include "recorder.h"

void record_reset(struct function *function)
{
    uint32_t bar = 0xdeadbeef;
    uint16_t command = 7;
    function_reopen(function);
    long result = function_call(function, VFIO_DEVICE_RESET, NULL);
    row_begin(function, "reset");
    row_number("errno", result);
    row_end();
    function_reopen(function);
    config_write(function, 0x10, &bar, sizeof bar);
    config_write(function, 4, &command, sizeof command);
    function_call(function, VFIO_DEVICE_RESET, NULL);
    config_read(function, 0x10, &bar, sizeof bar);
    config_read(function, 4, &command, sizeof command);
    row_begin(function, "after_reset");
    row_number("bar0", bar);
    row_number("command", command);
    row_end();
    function_close(function);
}
