namespace Vfio.Core.Tests.Model;

/// <summary>The permission tables of the reference (linux-vfio.md 2.3, 2.6, 2.7): offset, width, virtual bits, writable bits.</summary>
internal static class ReferenceMasks
{
    private const uint All = 0xFFFFFFFF;

    public static readonly (int Offset, int Width, uint Virtual, uint Writable)[] Header =
    [
        (0x00, 2, 0xFFFF, 0), (0x02, 2, 0xFFFF, 0), (0x04, 2, 0x0400, 0xFFFF), (0x06, 2, 0x0010, 0), (0x0C, 1, 0, 0xFF), (0x0D, 1, 0, 0xFF),
        (0x0F, 1, 0, 0xFF), (0x10, 4, All, All), (0x14, 4, All, All), (0x18, 4, All, All), (0x1C, 4, All, All), (0x20, 4, All, All),
        (0x24, 4, All, All), (0x30, 4, All, All), (0x34, 1, 0xFF, 0), (0x3C, 1, 0xFF, 0xFF), (0x3D, 1, 0xFF, 0),
    ];

    private static readonly (int Offset, int Width, uint Virtual, uint Writable) Next = (1, 1, 0xFF, 0);

    /// <summary>The masks of a standard capability; null for one without (direct).</summary>
    public static (int Offset, int Width, uint Virtual, uint Writable)[]? Standard(int id, uint msiFlags) => id switch
    {
        0x01 => [Next, (2, 2, 0xF800, 0), (4, 4, 0x8100, 0xFFFF7EFC)],
        0x03 => [Next, (2, 2, 0xFFFF, 0xFFFF), (4, 4, All, All)],
        0x05 => Msi(msiFlags),
        0x07 => [Next, (2, 2, 0, 0xFFFF), (8, 4, 0, All)],
        0x10 => [Next, (8, 2, 0xF0E0, 0xFDFF), (0x28, 2, 0, 0xFFDF)],
        0x13 => [Next, (4, 1, 1, 1)],
        _ => null,
    };

    /// <summary>The masks of an extended capability; null for one without (direct).</summary>
    public static (int Offset, int Width, uint Virtual, uint Writable)[]? Extended(int id) => id switch
    {
        0x01 =>
        [
            (0, 4, All, 0), (0x04, 4, 0, 0x03FFF031), (0x08, 4, 0, 0x03FFF031), (0x0C, 4, 0, 0x03FFF031),
            (0x10, 4, 0, 0xF1C1), (0x14, 4, 0, 0xF1C1), (0x18, 4, 0, 0x140),
        ],
        0x04 => [(0, 4, All, 0), (8, 1, 0, 0xFF)],
        _ => null,
    };

    private static (int Offset, int Width, uint Virtual, uint Writable)[] Msi(uint flags)
    {
        var is64 = (flags & 0x80) != 0;
        var isMaskable = (flags & 0x100) != 0;
        var data = is64 ? 12 : 8;
        List<(int Offset, int Width, uint Virtual, uint Writable)> masks =
            [Next, (2, 1, 0xFF, 0xFF), (4, 4, All, All), (data, 2, 0xFFFF, 0xFFFF)];
        if (is64)
            masks.Add((8, 4, All, All));
        if (isMaskable)
            masks.AddRange([(data + 4, 4, 0, All), (data + 8, 4, 0, All)]);
        return [.. masks];
    }
}
