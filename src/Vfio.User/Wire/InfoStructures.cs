using System.Runtime.InteropServices;

namespace Vfio.User.Wire;

// The structures of the VERSION and GET_* commands, request and reply alike; field names are the specification's.
[StructLayout(LayoutKind.Sequential)]
internal struct VersionHead
{
    public const int Size = 4;

    public ushort Major;
    public ushort Minor;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DeviceInfoStructure
{
    public const int Size = 16;

    public uint ArgSize;
    public uint Flags;
    public uint RegionCount;
    public uint IrqCount;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RegionInfoStructure
{
    public const int Size = 32;

    /// <summary>VFIO_REGION_INFO_FLAG_CAPS: a chain of capabilities follows at <see cref="CapOffset"/>.</summary>
    public const uint FlagCapabilities = 8;

    public uint ArgSize;
    public uint Flags;
    public uint Index;
    public uint CapOffset;
    public ulong RegionSize;
    public ulong FileOffset;
}

/// <summary>struct vfio_info_cap_header, with VFIO_REGION_INFO_CAP_*.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CapabilityHeader
{
    public const int Size = 8;
    public const ushort SparseMmap = 1;
    public const ushort Type = 2;
    public const ushort MsixMappable = 3;

    public ushort Id;
    public ushort Version;

    /// <summary>Where the next one is, from the start of the info structure; 0 for none.</summary>
    public uint Next;
}

/// <summary>The head of VFIO_REGION_INFO_CAP_SPARSE_MMAP, after its header; pairs of offset and size follow.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SparseMmapHead
{
    public const int Size = 8;
    public const int AreaSize = 16;

    public uint AreaCount;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RegionIoFdsStructure
{
    public const int Size = 16;

    public uint ArgSize;
    public uint Flags;
    public uint Index;
    public uint Count;
}

/// <summary>
/// One ioeventfd of GET_REGION_IO_FDS: 48 bytes, as libvfio-user and its one client have it (the specification's 40 lack the shadow).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoEventFdStructure
{
    public const int Size = 48;
    public const uint NoDescriptor = uint.MaxValue;

    public ulong Offset;
    public ulong AccessSize;
    public uint DescriptorIndex;

    /// <summary>0: an ioeventfd.</summary>
    public uint Type;

    public uint Flags;
    public uint ShadowDescriptorIndex;
    public ulong ShadowOffset;
    public ulong DataMatch;
}

[StructLayout(LayoutKind.Sequential)]
internal struct IrqInfoStructure
{
    public const int Size = 16;

    public uint ArgSize;
    public uint Flags;
    public uint Index;
    public uint Count;
}
