namespace Vfio.Core.Tests.Model;

/// <summary>
/// linux-vfio.md section 2 byte by byte, over a copy of the hardware: no table or line of it comes from the code that it judges.
/// </summary>
internal sealed class ConfigModel
{
    private readonly ConfigByte[] _bytes;
    private readonly byte[] _virtual;
    private readonly BarModel _bars;
    private readonly bool _followsIntxDisable;
    private readonly int _msi;
    private readonly VpdModel _vpd;
    private readonly PowerModel _power;
    private bool _intxDisabled;

    public ConfigModel(ModelFunction hardware)
    {
        Hardware = hardware;
        var map = ReferenceMap.Of(hardware);
        _bytes = map.Bytes;
        _virtual = map.Virtual;
        _bars = new BarModel(hardware, _virtual);
        _followsIntxDisable = (hardware.Writable[5] & 4) != 0;
        _msi = map.First(0x05);
        MsiVectors = _msi == 0 ? 0 : 1 << ((hardware.Registers[_msi + 2] >> 1) & 7);
        _vpd = new VpdModel(hardware, map.First(0x03));
        _power = new PowerModel(hardware, map.First(0x01), map.First(0x10, isExtended: true));
    }

    public ModelFunction Hardware { get; }

    public int Resets { get; private set; }

    /// <summary>Whether MSI is the enabled IRQ index, and the last enabled number of its vectors, as a power of two.</summary>
    public (bool IsActive, int QueueLog) Msi { get; private set; }

    /// <summary>How many MSI vectors there are; 0 without the capability.</summary>
    public int MsiVectors { get; }

    public bool MemoryEnabled => _power.State < 3 && (IsVf || (_virtual[4] & 2) != 0);

    private bool IsVf => Hardware.VirtualFunctionIndex >= 0;

    public ConfigByte Describe(int at) => _bytes[at];

    public bool Read(int offset, Span<byte> destination)
    {
        if (!IsInside(offset, destination.Length))
            return false;
        for (var done = 0; done < destination.Length;)
        {
            var width = PieceWidth(offset + done, destination.Length - done);
            ReadPiece(offset + done, destination.Slice(done, width));
            done += width;
        }

        return true;
    }

    public bool Write(int offset, ReadOnlySpan<byte> source)
    {
        if (!IsInside(offset, source.Length))
            return false;
        for (var done = 0; done < source.Length;)
        {
            var width = PieceWidth(offset + done, source.Length - done);
            WritePiece(offset + done, source.Slice(done, width));
            done += width;
        }

        return true;
    }

    /// <summary>What SET_IRQS does to the registers: as pci_enable_msi and pci_disable_msi do.</summary>
    /// <param name="vectors">How many are enabled; 0 disables.</param>
    public void SetMsi(int vectors)
    {
        if (vectors > 0 && Msi.IsActive)
            return;
        var at = _msi + 2;
        var control = Hardware.ReadConfig(at, 2) & ~1u;
        if (vectors == 0)
        {
            Msi = Msi with { IsActive = false };
            Hardware.WriteConfig(at, 2, control);
            return;
        }

        Msi = (true, 32 - int.LeadingZeroCount(vectors - 1));
        Hardware.WriteConfig(at, 2, (control & ~0x70u) | ((uint)Msi.QueueLog << 4) | 1);
    }

    private bool IsInside(int offset, int count) => offset >= 0 && offset < Hardware.ConfigSize && offset + count <= Hardware.ConfigSize;

    /// <summary>2.1, point 2.</summary>
    private int PieceWidth(int at, int remaining)
    {
        var run = 1;
        while ((at + run) % 4 != 0 && _bytes[at + run].Block == _bytes[at].Block)
            run++;
        var count = Math.Min(remaining, run);
        return count >= 4 && at % 4 == 0 ? 4 : count >= 2 && at % 2 == 0 ? 2 : 1;
    }

    private void ReadPiece(int at, Span<byte> piece)
    {
        if (_bytes[at].Block is { Id: 0 } && BarModel.IsBar(at))
            _bars.Fix();
        for (var i = 0; i < piece.Length; i++)
        {
            var position = at + i;
            var real = Hardware.Registers[position];
            ref readonly var config = ref _bytes[position];
            var offset = position - config.Block?.Start ?? 0;
            piece[i] = config.Access switch
            {
                Access.Raw => real,
                Access.Masked => (byte)((_virtual[position] & config.Virtual) | (real & ~config.Virtual)),
                _ when config.IsMiddle => real,
                _ when config.Block!.IsExtended => offset < 4 ? _virtual[position] : real,
                _ => offset == 1 || (offset == 0 && piece.Length > 1) ? _virtual[position] : real,
            };
        }

        if (at == 4 && IsVf)
            piece[0] |= (byte)(_virtual[4] & 2);
    }

    private void WritePiece(int at, ReadOnlySpan<byte> piece)
    {
        var value = 0u;
        for (var i = 0; i < piece.Length; i++)
            value |= (uint)piece[i] << (8 * i);
        switch (_bytes[at].Access)
        {
            case Access.Raw or Access.DirectRawWrite:
                Hardware.WriteConfig(at, piece.Length, value);
                break;
            case Access.Masked:
                WriteMasked(at, piece.Length, value);
                break;
            default:
                break;
        }
    }

    private void WriteMasked(int at, int width, uint value)
    {
        var block = _bytes[at].Block!;
        var offset = at - block.Start;
        var readRequest = block is { Id: 0x10, IsExtended: false } ? _virtual[block.Start + 9] & 0x70 : 0;
        if (block.Start == 0 && at == 4)
            _bars.Restore(value);
        Merge(at, width, value);
        if (block.IsExtended)
            return;
        switch (block.Id)
        {
            case 0x00 when at is 4 or 5:
                if (at == 4)
                    _virtual[4] = (byte)((_virtual[4] & ~3) | ((int)value & 3));
                FollowIntxDisable();
                break;
            case 0x00 when BarModel.IsBar(at):
                _bars.IsDirty = true;
                break;
            case 0x01 when offset == 4:
                _power.Enter((int)value & 3);
                break;
            // A register that a later capability lies over is that one's.
            case 0x03 when offset <= 3 && offset + width > 3 && Owns(block, 4) && Owns(block, 7):
                _vpd.Transfer(_virtual.AsSpan(block.Start + 2, 6));
                break;
            // The kernel takes a piece that ends just before the register for one that holds it, too.
            case 0x05 when offset <= 2 && offset + width > 2:
                WriteMsiControl(block.Start + 2);
                break;
            case 0x10 when Owns(block, 8) && Owns(block, 9):
                WriteDeviceControl(block.Start, readRequest);
                break;
            case 0x13 when Owns(block, 4) && (_virtual[block.Start + 4] & 1) != 0:
                _virtual[block.Start + 4] &= 0xFE;
                if ((Hardware.Registers[block.Start + 3] & 3) == 3)
                    Reset();
                break;
            default:
                break;
        }
    }

    private bool Owns(ConfigBlock block, int offset) => _bytes[block.Start + offset].Block == block;

    private void Merge(int at, int width, uint value)
    {
        uint written = 0, toHardware = 0;
        for (var i = 0; i < width; i++)
        {
            ref readonly var config = ref _bytes[at + i];
            var bits = (byte)(value >> (8 * i));
            var virtualBits = config.Writable & config.Virtual;
            _virtual[at + i] = (byte)((_virtual[at + i] & ~virtualBits) | (bits & virtualBits));
            var realBits = config.Writable & ~config.Virtual;
            toHardware |= (uint)realBits << (8 * i);
            written |= (uint)((Hardware.Registers[at + i] & ~realBits) | (bits & realBits)) << (8 * i);
        }

        if (toHardware != 0)
            Hardware.WriteConfig(at, width, written);
    }

    private void FollowIntxDisable()
    {
        var disabled = (_virtual[5] & 4) != 0;
        if (disabled == _intxDisabled)
            return;
        _intxDisabled = disabled;
        var command = Hardware.ReadConfig(4, 2);
        var wanted = disabled ? command | 0x400 : command & ~0x400u;
        if (_followsIntxDisable && wanted != command)
            Hardware.WriteConfig(4, 2, wanted);
    }

    private void WriteMsiControl(int control)
    {
        if (!Msi.IsActive)
            _virtual[control] &= 0xFE;
        if ((_virtual[control] & 0x70) >> 4 > Msi.QueueLog)
            _virtual[control] = (byte)((_virtual[control] & 0x8F) | (Msi.QueueLog << 4));
        Hardware.WriteConfig(control, 2, (uint)(_virtual[control] | (_virtual[control + 1] << 8)));
    }

    private void WriteDeviceControl(int start, int readRequestBefore)
    {
        if ((_virtual[start + 9] & 0x80) != 0)
        {
            _virtual[start + 9] &= 0x7F;
            if ((Hardware.Registers[start + 7] & 0x10) != 0)
                Reset();
        }

        var readRequest = _virtual[start + 9] & 0x70;
        if (readRequest == readRequestBefore)
            return;
        var control = Hardware.ReadConfig(start + 8, 2);
        var field = Math.Max((uint)readRequest >> 4, (control >> 5) & 7);
        // 128 << 5 is the largest that the register can say.
        if (field <= 5)
            Hardware.WriteConfig(start + 8, 2, (control & ~0x7000u) | (field << 12));
    }

    private void Reset()
    {
        Resets++;
        _power.WakeForReset();
        // The reset of this hardware changes nothing, and COMMAND, which is cleared before it, is written back behind it.
    }
}
