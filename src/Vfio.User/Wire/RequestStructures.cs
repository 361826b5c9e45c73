using System.Runtime.InteropServices;

namespace Vfio.User.Wire;

// The structures of the commands that do something; field names are the specification's.
[StructLayout(LayoutKind.Sequential)]
internal struct DmaMapStructure
{
    public const int Size = 32;

    public uint ArgSize;
    public DmaMapFlags Flags;
    public ulong FileOffset;
    public ulong Address;
    public ulong Length;
}

[Flags]
internal enum DmaMapFlags : uint
{
    None = 0,
    Read = 1,
    Write = 2,

    /// <summary>The file is meant to be mapped.</summary>
    Mmap = 4,

    /// <summary>The file is meant to be read and written (/proc/PID/mem, say).</summary>
    FileIo = 8,
}

[StructLayout(LayoutKind.Sequential)]
internal struct DmaUnmapStructure
{
    public const int Size = 24;

    public uint ArgSize;
    public DmaUnmapFlags Flags;
    public ulong Address;
    public ulong Length;
}

/// <summary>Behind <see cref="DmaUnmapStructure"/>, where a bitmap is asked for; in the reply the bitmap follows.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DmaUnmapBitmapStructure
{
    public const int Size = 16;

    public ulong PageSize;

    /// <summary>Bytes of the bitmap.</summary>
    public ulong Length;
}

[Flags]
internal enum DmaUnmapFlags : uint
{
    None = 0,
    GetDirtyBitmap = 1,
    All = 2,
}

[StructLayout(LayoutKind.Sequential)]
internal struct SetIrqsStructure
{
    public const int Size = 20;

    public uint ArgSize;
    public uint Flags;
    public uint Index;
    public uint Start;
    public uint Count;
}

/// <summary>The head of REGION_READ and REGION_WRITE, and of each write of REGION_WRITE_MULTI.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RegionAccessStructure
{
    public const int Size = 16;

    /// <summary>One write of REGION_WRITE_MULTI: the head and eight bytes, of which the first count.</summary>
    public const int MultiSize = 24;

    public ulong Offset;
    public uint Region;
    public uint Count;
}

/// <summary>The head of DMA_READ and DMA_WRITE.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DmaAccessStructure
{
    public const int Size = 16;

    public ulong Address;
    public ulong Count;
}

[StructLayout(LayoutKind.Sequential)]
internal struct FeatureStructure
{
    public const int Size = 8;

    public uint ArgSize;
    public uint Flags;
}
