// Records what vfio-pci answers for one function, as JSON lines on stdout. See lab/README.md, "Recordings".
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <linux/vfio.h>

enum { PAGE = 4096, CONFIG_SIZE_MAX = 4096, EVENTFDS = 8 };

// The function under test: its name in the rows, and what stays open from one experiment to the next.
struct function {
    const char *name;
    const char *address;
    int container;
    int group;
    int device;           // -1 when closed; every experiment opens it afresh
    int hardware;         // sysfs `config`: the function's own config space
    uint32_t config_size; // of `hardware`
    uint64_t config_offset; // of the config region in `device`
};

// function.c
void function_attach(struct function *function, const char *name, const char *address);
void function_open(struct function *function);
void function_close(struct function *function);
void function_reopen(struct function *function);
long function_call(const struct function *function, unsigned long request, void *argument); // result, or errno negated
struct vfio_region_info function_region(const struct function *function, uint32_t index);
long config_read(const struct function *function, uint64_t offset, void *data, size_t size);
long config_write(const struct function *function, uint64_t offset, const void *data, size_t size);
long hardware_read(const struct function *function, uint64_t offset, void *data, size_t size);
long result_of(long result); // errno negated for -1
_Noreturn void die(const struct function *function, const char *what);

// row.c: one JSON object a line, fields in the order of the calls
void row_begin(const struct function *function, const char *row);
void row_number(const char *name, int64_t value);
void row_string(const char *name, const char *value);
void row_bytes(const char *name, const void *data, size_t size);
void row_numbers(const char *name, const int64_t *values, size_t count);
void row_raw(const char *name, const char *json);
void row_end(void);

// The experiments, in the order in which they are recorded.
void record_raw_config(struct function *function, const char *row);
void record_information(struct function *function);   // information.c
void record_config_reads(struct function *function);  // configuration.c
void record_config_writes(struct function *function);
void record_set_irqs(struct function *function);      // interrupts.c
void record_irq_scripts(struct function *function);   // irq_script.c
void record_region_reads(struct function *function);  // regions.c
void record_reset(struct function *function);         // reset.c
void record_dma(struct function *function);           // dma.c

// interrupts.c: one SET_IRQS call with `payload` bytes of data behind the structure
long set_irqs(const struct function *function, uint32_t index, uint32_t flags, uint32_t start, uint32_t count, const void *data,
              uint32_t payload);
int new_eventfd(const struct function *function);
