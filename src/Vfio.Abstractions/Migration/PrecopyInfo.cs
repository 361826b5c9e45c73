namespace Vfio;

/// <summary>What there is to read in PRE_COPY. Source: <c>struct vfio_precopy_info</c>.</summary>
/// <param name="InitialBytes">Bytes without which it is too early to stop the device; it counts down to 0 as they are read.</param>
/// <param name="DirtyBytes">Bytes that have changed since they were read.</param>
/// <param name="HasNewInitial">
/// New initial bytes have appeared (VFIO_PRECOPY_INFO_REINIT): both counts have begun anew. Told only to those who asked for the second
/// version.
/// </param>
public readonly record struct PrecopyInfo(ulong InitialBytes, ulong DirtyBytes, bool HasNewInitial = false);
