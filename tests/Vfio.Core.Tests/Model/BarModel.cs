namespace Vfio.Core.Tests.Model;

/// <summary>The BAR and ROM registers by linux-vfio.md 2.4 and 2.5.</summary>
internal sealed class BarModel(ModelFunction hardware, byte[] shadow)
{
    private readonly uint[] _realBars = [.. Enumerable.Range(0, 7).Select(i => hardware.ReadConfig(i < 6 ? 0x10 + (4 * i) : 0x30, 4))];

    /// <summary>They were written since they were shaped.</summary>
    public bool IsDirty { get; set; } = true;

    public static bool IsBar(int at) => at is (>= 0x10 and < 0x28) or (>= 0x30 and < 0x34);

    /// <summary>2.5.</summary>
    public void Fix()
    {
        if (!IsDirty)
            return;
        IsDirty = false;
        for (var i = 0; i < 6; i++)
        {
            if (hardware.Bar(i) is not { } bar)
            {
                shadow.AsSpan(0x10 + (4 * i), 4).Clear();
                continue;
            }

            var mask = ~(bar.Size - 1);
            var flags = bar.Kind == BarKind.Io ? 1u : (bar.Prefetchable ? 8u : 0) | (bar.Kind == BarKind.Memory64 ? 4u : 0);
            And(0x10 + (4 * i), (uint)mask, flags);
            // What an I/O or 32-bit BAR keeps of a 64-bit one's type bit is masked by its size.
            if (bar.Kind != BarKind.Memory64)
                continue;
            i++;
            And(0x10 + (4 * i), (uint)(mask >> 32), 0);
        }

        var rom = hardware.Bar(6);
        And(0x30, rom is null ? 0 : ~((uint)rom.Size - 1) | 1, 0);
    }

    private void And(int at, uint mask, uint flags)
    {
        for (var i = 0; i < 4; i++)
            shadow[at + i] = (byte)((shadow[at + i] & (mask >> (8 * i))) | (flags >> (8 * i)));
    }

    /// <summary>2.4, point 3.</summary>
    public void Restore(uint command)
    {
        if (hardware.VirtualFunctionIndex >= 0)
            return;
        var real = hardware.Registers[4];
        var lostMemory = (command & 2) != 0 && (shadow[4] & 2) != 0 && (real & 2) == 0;
        var lostIo = (command & 1) != 0 && (shadow[4] & 1) != 0 && (real & 1) == 0;
        var lostBar = Enumerable.Range(0, 6).Any(i => _realBars[i] != 0 && hardware.ReadConfig(0x10 + (4 * i), 4) != _realBars[i]);
        if (!lostMemory && !lostIo && !lostBar)
            return;
        for (var i = 0; i < 7; i++)
            hardware.WriteConfig(i < 6 ? 0x10 + (4 * i) : 0x30, 4, _realBars[i]);
    }
}
