using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>An eventfd that stands for writes to a part of a region. Source: vfio-user, VFIO_USER_DEVICE_GET_REGION_IO_FDS.</summary>
/// <param name="Offset">Where in the region.</param>
/// <param name="Size">Width of the write in bytes.</param>
/// <param name="EventFd">
/// The eventfd; the device's, until it is closed. An invalid handle where the place has none: its client has to send such writes as messages.
/// </param>
/// <param name="Flags">KVM_IOEVENTFD_FLAG_* bits.</param>
/// <param name="DataMatch">The value that the write must have, if the flags say so.</param>
public sealed record RegionIoEventFd(ulong Offset, ulong Size, SafeFileHandle EventFd, uint Flags = 0, ulong DataMatch = 0);
