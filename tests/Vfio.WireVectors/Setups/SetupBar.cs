using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.WireVectors.Setups;

/// <summary>A BAR whose first bytes are memory; the rest of a large one reads as 0.</summary>
internal sealed class SetupBar : IPciBar, IDisposable
{
    private const int MostMemory = 0x10000;
    private const long FileLength = 0x10000;
    private readonly BarSpec _spec;
    private readonly byte[] _memory;
    private readonly SafeFileHandle? _file;

    public SetupBar(BarSpec spec)
    {
        _spec = spec;
        _memory = new byte[Math.Min(spec.Size, MostMemory)];
        if (spec.Mapping is not { } mapping)
            return;
        _file = Libc.memfd_create($"bar{spec.Index}", Libc.MFD_CLOEXEC);
        if (_file.IsInvalid || Libc.ftruncate(_file, FileLength) != 0)
            throw VfioException.FromLibc($"the file of BAR{spec.Index}");
        Mapping = new RegionMapping { File = _file, FileOffset = mapping.FileOffset, Areas = mapping.Areas };
    }

    public ulong Size => _spec.Size;

    public BarKind Kind => _spec.Kind;

    public bool Prefetchable => _spec.IsPrefetchable;

    public RegionMapping? Mapping { get; }

    public ulong Read(ulong offset, int width)
    {
        if (offset >= (ulong)_memory.Length)
            return 0;
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        _memory.AsSpan((int)offset, width).CopyTo(wide);
        return BinaryPrimitives.ReadUInt64LittleEndian(wide);
    }

    public void Write(ulong offset, int width, ulong value)
    {
        if (offset >= (ulong)_memory.Length)
            return;
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(wide, value);
        wide[..width].CopyTo(_memory.AsSpan((int)offset));
    }

    public void Dispose() => _file?.Dispose();
}
