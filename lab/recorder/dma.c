// A fixed sequence of map and unmap calls of a type1 (v2) container with nothing mapped.
#include "recorder.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

enum { READ = VFIO_DMA_MAP_FLAG_READ, WRITE = VFIO_DMA_MAP_FLAG_WRITE, BOTH = READ | WRITE, UNKNOWN = 1 << 7, K64 = 0x10000 };

void record_dma(struct function *function)
{
    uint8_t *memory = mmap(NULL, K64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *hole = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || hole == MAP_FAILED || munmap(hole, PAGE))
        die(function, "memory to map");
    const uint64_t here = (uintptr_t)memory, nowhere = (uintptr_t)hole;
    const struct { const char *step; uint32_t flags; uint64_t vaddr, iova, size; } maps[] = {
        { "map [64K,+64K) rw", BOTH, here, K64, K64 },
        { "map same again", BOTH, here, K64, K64 },
        { "map inside it", BOTH, here, K64 + PAGE, PAGE },
        { "map overlap its end", BOTH, here, 2 * K64 - PAGE, 2 * PAGE },
        { "map adjacent", BOTH, here, 2 * K64, K64 },
        { "map no permission", 0, here, 0x100000, PAGE },
        { "map read only", READ, here, 0x100000, PAGE },
        { "map write only", WRITE, here, 0x101000, PAGE },
        { "map unknown flag", BOTH | UNKNOWN, here, 0x200000, PAGE },
        { "map size 0", BOTH, here, 0x200000, 0 },
        { "map unaligned iova", BOTH, here, 0x200001, PAGE },
        { "map unaligned size", BOTH, here, 0x200000, PAGE + 1 },
        { "map unaligned vaddr", BOTH, here + 1, 0x200000, PAGE },
        { "map wraps", BOTH, here, -(uint64_t)PAGE, 2 * PAGE },
        { "map unmapped vaddr", BOTH, nowhere, 0x200000, PAGE },
    };
    const struct { const char *step; uint32_t flags; uint64_t iova, size; } unmaps[] = {
        { "unmap middle of one", 0, K64 + PAGE, PAGE },
        { "unmap across two", 0, K64, 2 * K64 },
        { "unmap nothing there", 0, K64, 2 * K64 },
        { "unmap unaligned", 0, K64 + 1, PAGE },
        { "unmap size 0", 0, K64, 0 },
        { "unmap unknown flag", UNKNOWN, K64, PAGE },
        { "unmap all with size", VFIO_DMA_UNMAP_FLAG_ALL, 0, PAGE },
        { "unmap all", VFIO_DMA_UNMAP_FLAG_ALL, 0, 0 },
        { "unmap all again", VFIO_DMA_UNMAP_FLAG_ALL, 0, 0 },
    };
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        struct vfio_iommu_type1_dma_map call = {
            .argsz = sizeof call, .flags = maps[i].flags, .vaddr = maps[i].vaddr, .iova = maps[i].iova, .size = maps[i].size };
        long result = result_of(ioctl(function->container, VFIO_IOMMU_MAP_DMA, &call));
        row_begin(function, "dma");
        row_string("step", maps[i].step);
        row_number("errno", result);
        row_end();
    }
    for (size_t i = 0; i < sizeof unmaps / sizeof *unmaps; i++) {
        struct vfio_iommu_type1_dma_unmap call = {
            .argsz = sizeof call, .flags = unmaps[i].flags, .iova = unmaps[i].iova, .size = unmaps[i].size };
        long result = result_of(ioctl(function->container, VFIO_IOMMU_UNMAP_DMA, &call));
        row_begin(function, "dma");
        row_string("step", unmaps[i].step);
        row_number("errno", result);
        row_number("unmapped", (int64_t)call.size);
        row_end();
    }
    munmap(memory, K64);
}
