using System.Runtime.InteropServices;

namespace Vfio.Core.Tests.Scripted;

/// <summary>A BAR in memory that notes every device access.</summary>
internal sealed class ScriptedBar(int size, BarKind kind = BarKind.Memory32) : IPciBar
{
    private readonly Lock _accessing = new();

    public byte[] Memory { get; } = new byte[size];

    public List<(bool IsWrite, ulong Offset, int Width)> Accesses { get; } = [];

    /// <summary>Whether accesses are noted; off where a test counts allocations.</summary>
    public bool Notes { get; set; } = true;

    public Action<ulong, int>? OnAccess { get; set; }

    public ulong Size { get; init; } = (ulong)size;

    public BarKind Kind => kind;

    public bool Prefetchable { get; init; }

    public ulong ImageSize { get; init; } = (ulong)size;

    public bool IsShadow { get; init; }

    public RegionMapping? Mapping { get; init; }

    public ulong Read(ulong offset, int width)
    {
        Note(false, offset, width);
        var at = Memory.AsSpan((int)offset, width);
        return width switch
        {
            1 => at[0],
            2 => MemoryMarshal.Read<ushort>(at),
            4 => MemoryMarshal.Read<uint>(at),
            8 => MemoryMarshal.Read<ulong>(at),
            _ => throw new InvalidOperationException($"width {width}"),
        };
    }

    public void Write(ulong offset, int width, ulong value)
    {
        Note(true, offset, width);
        Span<byte> bytes = stackalloc byte[8];
        MemoryMarshal.Write(bytes, value);
        bytes[..width].CopyTo(Memory.AsSpan((int)offset));
    }

    private void Note(bool isWrite, ulong offset, int width)
    {
        if (offset % (ulong)width != 0)
            throw new InvalidOperationException($"a {width} byte access at {offset:x}");
        OnAccess?.Invoke(offset, width);
        if (!Notes)
            return;
        lock (_accessing)
            Accesses.Add((isWrite, offset, width));
    }
}
