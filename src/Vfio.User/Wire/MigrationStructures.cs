using System.Runtime.InteropServices;

namespace Vfio.User.Wire;

// Migration and DMA logging: the data of their features, behind the FeatureStructure, and the commands that move a data stream. Field
// names are the specification's; those of the features are the kernel's uAPI (struct vfio_device_feature_*).
[StructLayout(LayoutKind.Sequential)]
internal struct MigrationDeviceStateStructure
{
    public const int Size = 8;

    public uint State;

    /// <summary>The kernel's data_fd: nothing here, where the stream goes by messages.</summary>
    public int DataDescriptor;
}

/// <summary>DMA_LOGGING_START; the ranges follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DmaLoggingControlStructure
{
    public const int Size = 16;

    public ulong PageSize;
    public uint RangeCount;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DmaLoggingRangeStructure
{
    public const int Size = 16;

    public ulong Iova;
    public ulong Length;
}

/// <summary>DMA_LOGGING_REPORT; in the reply the bitmap follows, in words of 64 bits.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DmaLoggingReportStructure
{
    public const int Size = 24;

    public ulong Iova;
    public ulong Length;
    public ulong PageSize;
}

/// <summary>MIG_DATA_READ and MIG_DATA_WRITE; the data follows.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MigrationDataStructure
{
    public const int Size = 8;

    public uint ArgSize;
    public uint Length;
}

/// <summary>GET_PRECOPY_INFO: the kernel's struct vfio_precopy_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PrecopyInfoStructure
{
    public const int Size = 24;

    /// <summary>VFIO_PRECOPY_INFO_REINIT: new initial bytes have appeared, and both counts have begun anew.</summary>
    public const uint FlagReinitialised = 1;

    public uint ArgSize;
    public uint Flags;
    public ulong InitialBytes;
    public ulong DirtyBytes;
}
