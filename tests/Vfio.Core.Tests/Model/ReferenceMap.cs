namespace Vfio.Core.Tests.Model;

/// <summary>
/// What each byte is, and the virtual bytes at open, by linux-vfio.md 2.2, 2.6 and 2.7: the chains walked, what is hidden taken out of
/// them.
/// </summary>
internal sealed class ReferenceMap
{
    private readonly ModelFunction _hardware;

    private ReferenceMap(ModelFunction hardware)
    {
        _hardware = hardware;
        Bytes = new ConfigByte[hardware.ConfigSize];
        Virtual = new byte[hardware.ConfigSize];
    }

    public ConfigByte[] Bytes { get; }

    /// <summary>The kernel's vconfig.</summary>
    public byte[] Virtual { get; }

    /// <summary>The capabilities in the order of their chains.</summary>
    public List<ConfigBlock> Blocks { get; } = [];

    /// <summary>What the chains lead to, hidden ones included: id and start.</summary>
    public List<(int Id, int At)> Entries { get; } = [];

    /// <summary>
    /// Another capability lies over power management or VPD, or they over it: what such hardware does, whose registers are two things at
    /// once and change by themselves, nobody can say.
    /// </summary>
    public bool IsAbsurd => Blocks.Exists(block => block is { Id: 0x01 or 0x03, IsExtended: false }
        && Blocks.Exists(other => other != block && other.Overlaps(block)));

    public static ReferenceMap Of(ModelFunction hardware)
    {
        var map = new ReferenceMap(hardware);
        map.AddHeader();
        var hasExtended = map.AddStandard();
        if (hasExtended)
            map.AddExtended();
        map.FindMiddles();
        return map;
    }

    /// <summary>Where the first visible capability of an id is; 0 if there is none.</summary>
    public int First(int id, bool isExtended = false) => Blocks.Find(block => block.Id == id && block.IsExtended == isExtended)?.Start ?? 0;

    private uint Read8(int at) => at < _hardware.ConfigSize ? _hardware.Registers[at] : 0xFFu;

    private uint Read32(int at) => Read8(at) | (Read8(at + 1) << 8) | (Read8(at + 2) << 16) | (Read8(at + 3) << 24);

    /// <summary>What of a capability is shown: the kernel writes over what lies behind its maps, which is nothing to be equal to.</summary>
    private static int Kept(int length, int room, bool isRaw) => length <= room ? length : isRaw ? room : 0;

    private void AddHeader()
    {
        Claim(new ConfigBlock(0, 0, false), 0x40, Access.Masked, ReferenceMasks.Header, 0x40);
        if (_hardware.VirtualFunctionIndex >= 0)
        {
            (Virtual[0], Virtual[1]) = ((byte)_hardware.Id.Vendor, (byte)(_hardware.Id.Vendor >> 8));
            (Virtual[2], Virtual[3]) = ((byte)_hardware.Id.Device, (byte)(_hardware.Id.Device >> 8));
            Virtual[0x3D] = 0;
            Virtual[4] |= 2;
        }

        if (_hardware.Lines.Intx == 0)
            Virtual[0x3D] = 0;
    }

    private bool AddStandard()
    {
        if ((Read8(6) & 0x10) == 0)
            return false;
        var hasExtended = false;
        var previous = 0x34;
        var found = 0;
        // The two low bits of a pointer are reserved, as the PCI core has it; vfio_cap_init alone takes them for what they are.
        var position = (int)Read8(0x34) & 0xFC;
        for (var loops = 48; position >= 0x40 && loops > 0; loops--)
        {
            var id = (int)Read8(position);
            var next = (int)Read8(position + 1) & 0xFC;
            Entries.Add((id, position));
            var length = Kept(ReferenceLengths.Standard(Read8, id, position), 0x100 - position, id == 0x09);
            if (_hardware.ConfigSize > 0x100 && ((id == 0x10 && length > 0) || (id == 0x07 && length == 24)))
                hasExtended = Read32(0x100) != 0;
            if (length == 0)
            {
                Virtual[previous] = (byte)next;
                position = next;
                continue;
            }

            var masks = ReferenceMasks.Standard(id, Read8(position + 2) | (Read8(position + 3) << 8));
            var access = masks is not null ? Access.Masked : id == 0x09 ? Access.DirectRawWrite : Access.Direct;
            Claim(new ConfigBlock(id, position, false) { Length = length }, length, access, masks, 0x100);
            if (id == 0x01)
            {
                Virtual[position + 3] &= 0x07;
                Virtual[position + 4] &= 0xFF;
                Virtual[position + 5] &= 0x7E;
            }

            previous = position + 1;
            position = next;
            found++;
        }

        if (found == 0)
            Virtual[6] &= 0xEF;
        return hasExtended;
    }

    private void AddExtended()
    {
        var previous = 0;
        var found = 0;
        var position = 0x100;
        for (var loops = (_hardware.ConfigSize - 0x100) / 4; position >= 0x100 && loops > 0; loops--)
        {
            var header = Read32(position);
            var id = (int)(header & 0xFFFF);
            var next = (int)((header >> 20) & 0xFFC);
            Entries.Add((id, position));
            var room = _hardware.ConfigSize - position;
            var isRaw = id is 0x0B or 0x23;
            // The kernel's open fails where the length itself would lie behind the end.
            var length = isRaw && room < 8 ? 0 : Kept(ReferenceLengths.Extended(Read32, id, position), room, isRaw);
            var isHidden = length == 0;
            if (isHidden && previous != 0)
            {
                // Bits 31:20 of the header before.
                Virtual[previous + 2] = (byte)((Virtual[previous + 2] & 0x3F) | ((next << 4) & 0xC0));
                Virtual[previous + 3] = (byte)(next >> 4);
                position = next;
                continue;
            }

            var masks = isHidden ? null : ReferenceMasks.Extended(id);
            var access = masks is not null ? Access.Masked : isRaw ? Access.DirectRawWrite : Access.Direct;
            Claim(new ConfigBlock(id, position, true), isHidden ? 4 : length, access, masks, _hardware.ConfigSize);
            if (isHidden)
            {
                (Virtual[position], Virtual[position + 1]) = (0, 0);
                Virtual[position + 2] &= 0xC0;
            }
            else
            {
                found++;
            }

            previous = position;
            position = next;
        }

        if (found == 0)
            Virtual.AsSpan(0x100, 4).Clear();
    }

    /// <summary>The kernel searches backwards for a start, and takes the second of two that abut for the middle of the first.</summary>
    private void FindMiddles()
    {
        foreach (var block in Blocks.Where(block => block.Start > 0x40 && block.Start != 0x100))
        {
            if (Bytes[block.Start - 1].Block is not { } before || before.Id != block.Id)
                continue;
            for (var at = block.Start; at < Bytes.Length; at++)
                Bytes[at].IsMiddle |= Bytes[at].Block == block && Bytes[at].Access != Access.Masked;
        }
    }

    private void Claim(
        ConfigBlock block, int length, Access access, (int Offset, int Width, uint Virtual, uint Writable)[]? masks, int limit)
    {
        Blocks.Add(block);
        var end = Math.Min(block.Start + length, limit);
        for (var at = block.Start; at < end; at++)
        {
            Virtual[at] = _hardware.Registers[at];
            Bytes[at] = new() { Block = block, Access = access };
        }

        foreach (var (offset, width, isVirtual, isWritable) in masks ?? [])
        {
            for (var i = 0; i < width && block.Start + offset + i < end; i++)
            {
                ref var at = ref Bytes[block.Start + offset + i];
                at.Virtual = (byte)(isVirtual >> (8 * i));
                at.Writable = (byte)(isWritable >> (8 * i));
            }
        }
    }
}
