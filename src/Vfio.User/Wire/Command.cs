namespace Vfio.User.Wire;

/// <summary>The commands, by their numbers. Source: the protocol specification, "Commands" (QEMU, docs/interop/vfio-user.rst).</summary>
internal enum Command : ushort
{
    Version = 1,
    DmaMap = 2,
    DmaUnmap = 3,
    DeviceGetInfo = 4,
    DeviceGetRegionInfo = 5,
    DeviceGetRegionIoFds = 6,
    DeviceGetIrqInfo = 7,
    DeviceSetIrqs = 8,
    RegionRead = 9,
    RegionWrite = 10,
    DmaRead = 11,
    DmaWrite = 12,
    DeviceReset = 13,

    // 14 was DIRTY_PAGES and is not given out again.
    RegionWriteMulti = 15,
    DeviceFeature = 16,
    MigrationDataRead = 17,
    MigrationDataWrite = 18,

    // Not in the specification yet: as its maintainers have proposed it.
    GetPrecopyInfo = 19,
}
