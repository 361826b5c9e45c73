namespace Vfio.OracleReplay.Wire;

/// <summary>The commands that are replayed, by the numbers of the vfio-user protocol.</summary>
internal enum Command : ushort
{
    Version = 1,
    DmaMap = 2,
    DmaUnmap = 3,
    DeviceGetInfo = 4,
    DeviceGetRegionInfo = 5,
    DeviceGetIrqInfo = 7,
    DeviceSetIrqs = 8,
    DeviceFeature = 16,
}
