using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>Which bits of a function's configuration space software can change, and which of them a reset loses.</summary>
internal sealed class HardwareBits
{
    private HardwareBits(int size)
    {
        Writable = new byte[size];
        ClearedByOne = new byte[size];
        ClearedByReset = new byte[size];
    }

    public byte[] Writable { get; }

    public byte[] ClearedByOne { get; }

    public byte[] ClearedByReset { get; }

    public static HardwareBits Of(RecordedDevice device, RecordedHardware hardware)
    {
        var bits = new HardwareBits(hardware.WhileOpen.Length);
        var evidence = BitEvidence.Of(device, hardware.WhileOpen, hardware.Shown);
        evidence.Changed.CopyTo(bits.Writable, 0);
        evidence.ClearedByOne.CopyTo(bits.ClearedByOne, 0);
        bits.AddBars(hardware);
        // A VF need not have them: only its rows tell, unless there are none.
        if (!hardware.IsVirtualFunction || device.Of("config_write").Count == 0)
            bits.Add(hardware.WhileOpen, 0, SpecificationBits.Header, evidence);
        foreach (var (id, at) in hardware.StandardCapabilities)
        {
            bits.Add(hardware.WhileOpen, at, SpecificationBits.Standard.GetValueOrDefault(id) ?? [], evidence);
            // The flags of both stand at the same place.
            var flags = (int)ConfigBytes.Load(hardware.WhileOpen, at + Registers.CapabilityFlags, 2);
            if (id == Registers.Msi)
                bits.Add(hardware.WhileOpen, at, SpecificationBits.MsiMessage(flags), evidence);
            else if (id == Registers.Express)
                bits.Add(hardware.WhileOpen, at, SpecificationBits.Express(flags), evidence);
        }

        foreach (var (id, at) in hardware.ExtendedCapabilities)
            bits.Add(hardware.WhileOpen, at, SpecificationBits.Extended.GetValueOrDefault(id) ?? [], evidence);
        if (evidence.Unexplained > 0)
            hardware.Notes.Add($"{evidence.Unexplained} times a bit changed in the hardware that was not written: that is not modelled");
        return bits;
    }

    // A BAR holds an address of its own alignment; the bits that say what it is are fixed. A VF has none of its own.
    private void AddBars(RecordedHardware hardware)
    {
        if (hardware.IsVirtualFunction)
            return;
        foreach (var bar in hardware.Bars)
        {
            if (bar is null || bar.IsShadow)
                continue;
            var mask = ~(bar.Size - 1) & (bar.Kind == BarKind.Io ? ~3UL : ~0xFUL);
            var register = bar.Index == RegionIndex.Rom ? Registers.Rom : Registers.Bar0 + (4 * bar.Index);
            AddMask(register, 4, bar.Index == RegionIndex.Rom ? (uint)mask | 1 : (uint)mask, true);
            if (bar.Kind == BarKind.Memory64)
                AddMask(register + 4, 4, (uint)(mask >> 32), true);
        }
    }

    private void Add(byte[] config, int start, IEnumerable<SpecifiedRegister> registers, BitEvidence evidence)
    {
        foreach (var register in registers)
        {
            for (var i = 0; i < register.Width && start + register.Offset + i < config.Length; i++)
            {
                var at = start + register.Offset + i;
                var specified = (byte)(register.Writable >> (8 * i));
                // Where writes reach the hardware and the recorder has tried, what it saw counts.
                var told = register.Kept ? (byte)0 : evidence.Asked[at];
                Writable[at] |= (byte)(specified & ~told);
                if (register.ClearedByReset)
                    ClearedByReset[at] |= (byte)(Writable[at] & specified);
            }
        }
    }

    private void AddMask(int at, int width, uint mask, bool clearedByReset)
    {
        for (var i = 0; i < width; i++)
        {
            Writable[at + i] |= (byte)(mask >> (8 * i));
            if (clearedByReset)
                ClearedByReset[at + i] |= (byte)(mask >> (8 * i));
        }
    }
}
