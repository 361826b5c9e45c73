namespace Vfio.User.Dma;

/// <summary>Which file a descriptor is of, for as long as somebody keeps the file.</summary>
internal readonly record struct FileIdentity(uint DeviceMajor, uint DeviceMinor, ulong Inode);
