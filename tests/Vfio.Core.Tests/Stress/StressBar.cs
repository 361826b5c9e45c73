namespace Vfio.Core.Tests.Stress;

/// <summary>Registers of 8 bytes; a thread that says which access it makes sees that one, and no other.</summary>
internal sealed class StressBar(StressFunction function, int size, BarKind kind) : IPciBar
{
    [ThreadStatic]
    private static (ulong Offset, int Width, int Seen)? _expected;

    private readonly ulong[] _registers = new ulong[size / 8];

    public ulong Size => (ulong)size;

    public BarKind Kind => kind;

    /// <summary>What this thread's next access must be.</summary>
    public static void Expect(ulong offset, int width) => _expected = (offset, width, 0);

    /// <summary>How many accesses there were since <see cref="Expect"/>.</summary>
    public static int Seen()
    {
        var seen = _expected?.Seen ?? 0;
        _expected = null;
        return seen;
    }

    public ulong Read(ulong offset, int width)
    {
        Begin(offset, width);
        var value = Volatile.Read(ref _registers[offset / 8]) >> (int)(8 * (offset % 8));
        function.EndAccess(this);
        return value;
    }

    public void Write(ulong offset, int width, ulong value)
    {
        Begin(offset, width);
        if (width == 8)
            Volatile.Write(ref _registers[offset / 8], value);
        function.EndAccess(this);
    }

    private void Begin(ulong offset, int width)
    {
        if (width is not (1 or 2 or 4 or 8) || offset % (ulong)width != 0 || offset + (ulong)width > Size)
            function.Violate($"a BAR access of {width} at {offset:x}");
        if (_expected is { } expected)
        {
            if (expected.Offset != offset || expected.Width != width)
                function.Violate($"a BAR access of {width} at {offset:x} for one of {expected.Width} at {expected.Offset:x}");
            _expected = expected with { Seen = expected.Seen + 1 };
        }

        function.BeginAccess(this);
    }
}
