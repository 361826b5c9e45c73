#include "recorder.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct function function;
    if (argc != 3) {
        fprintf(stderr, "usage: %s NAME ADDRESS   (a function bound to vfio-pci; rows go to stdout)\n", argv[0]);
        return 2;
    }
    function_attach(&function, argv[1], argv[2]);
    record_raw_config(&function, "raw_config");
    record_information(&function);
    record_config_reads(&function);
    record_config_writes(&function);
    record_set_irqs(&function);
    record_irq_scripts(&function);
    record_region_reads(&function);
    record_reset(&function);
    record_dma(&function);
    row_begin(&function, "end");
    row_end();
    return fflush(stdout) ? 1 : 0;
}
