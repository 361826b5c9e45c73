#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

void die(const struct function *function, const char *what)
{
    int error = errno;
    fflush(stdout);
    fprintf(stderr, "%s (%s): %s: %s\n", function->name, function->address, what, strerror(error));
    exit(1);
}

long result_of(long result) { return result < 0 ? -errno : result; }

// The group's number is the name of what the link points to.
static int open_group(const struct function *function)
{
    char path[PATH_MAX], target[PATH_MAX];
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/iommu_group", function->address);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        die(function, "no IOMMU group");
    target[length] = 0;
    snprintf(path, sizeof path, "/dev/vfio/%s", basename(target));
    return open(path, O_RDWR | O_CLOEXEC);
}

void function_attach(struct function *function, const char *name, const char *address)
{
    char path[PATH_MAX];
    struct stat status;
    *function = (struct function){ .name = name, .address = address, .device = -1 };
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/config", address);
    function->hardware = open(path, O_RDONLY | O_CLOEXEC);
    if (function->hardware < 0 || fstat(function->hardware, &status))
        die(function, path);
    function->config_size = (uint32_t)status.st_size;
    function->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
    if (function->container < 0)
        die(function, "/dev/vfio/vfio");
    function->group = open_group(function);
    if (function->group < 0)
        die(function, "the group");
    if (ioctl(function->group, VFIO_GROUP_SET_CONTAINER, &function->container))
        die(function, "VFIO_GROUP_SET_CONTAINER (is the group viable?)");
    if (ioctl(function->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
        die(function, "VFIO_SET_IOMMU");
}

void function_open(struct function *function)
{
    function->device = ioctl(function->group, VFIO_GROUP_GET_DEVICE_FD, function->address);
    if (function->device < 0)
        die(function, "VFIO_GROUP_GET_DEVICE_FD");
    function->config_offset = function_region(function, VFIO_PCI_CONFIG_REGION_INDEX).offset;
}

void function_close(struct function *function)
{
    if (function->device >= 0)
        close(function->device);
    function->device = -1;
}

void function_reopen(struct function *function)
{
    function_close(function);
    function_open(function);
}

long function_call(const struct function *function, unsigned long request, void *argument)
{
    return result_of(ioctl(function->device, request, argument));
}

struct vfio_region_info function_region(const struct function *function, uint32_t index)
{
    struct vfio_region_info info = { .argsz = sizeof info, .index = index };
    if (function_call(function, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
        info.size = 0;
    return info;
}

long config_read(const struct function *function, uint64_t offset, void *data, size_t size)
{
    return result_of(pread(function->device, data, size, (off_t)(function->config_offset + offset)));
}

long config_write(const struct function *function, uint64_t offset, const void *data, size_t size)
{
    return result_of(pwrite(function->device, data, size, (off_t)(function->config_offset + offset)));
}

long hardware_read(const struct function *function, uint64_t offset, void *data, size_t size)
{
    return result_of(pread(function->hardware, data, size, (off_t)offset));
}
