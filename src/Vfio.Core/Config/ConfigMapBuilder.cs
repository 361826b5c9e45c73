using Microsoft.Extensions.Logging;
using static Vfio.Core.Config.CapabilityRegisters;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Config;

/// <summary>
/// Builds the map and the virtual configuration space of a function from its own. Source: the kernel's <c>vfio_config_init</c> and what it
/// calls.
/// </summary>
internal sealed class ConfigMapBuilder
{
    private const int MaxStandard = 48;
    private readonly IPciFunction _function;
    private readonly ILogger _logger;
    private readonly bool _hideIntx;
    private readonly ConfigMap _map;
    private readonly ShadowConfig _shadow;
    private readonly List<(ConfigBlock Block, CapabilityRule Rule)> _trapped = [];

    public ConfigMapBuilder(IPciFunction function, ILogger logger, bool hideIntx = false)
    {
        _hideIntx = hideIntx;
        _function = function;
        _logger = logger;
        _map = new(function.ConfigSize);
        _shadow = new(function.ConfigSize);
    }

    public ConfigMap Map => _map;

    public ShadowConfig Shadow => _shadow;

    /// <summary>The blocks whose writes set something off, still without their traps.</summary>
    public IReadOnlyList<(ConfigBlock Block, CapabilityRule Rule)> Trapped => _trapped;

    public ConfigBlock Build()
    {
        var header = new ConfigBlock("header", 0, HeaderRegisters.Size, HeaderRules.Registers);
        _map.Add(header);
        Fill(0, HeaderRegisters.Size);
        FixVirtualFunction();
        if (_hideIntx || _function.Interrupts.Count(IrqIndex.Intx) == 0)
            _shadow.Write(InterruptPin, 1, 0);
        AddStandard();
        if (HasExtended())
            AddExtended();
        ShowAbutting();
        // The header last: COMMAND must find everything else restored.
        _map.AddSaved(0, HeaderRules.Saved);
        return header;
    }

    private void FixVirtualFunction()
    {
        if (_function.VirtualFunctionIndex < 0)
            return;
        // The identity registers of a VF read FFFFh, it has no pin, and its memory always answers.
        _shadow.Write(Vendor, 2, _function.Id.Vendor);
        _shadow.Write(Device, 2, _function.Id.Device);
        _shadow.Write(InterruptPin, 1, 0);
        _shadow.Merge(Command, 2, CommandMemory, CommandMemory);
    }

    private void AddStandard()
    {
        if ((_function.ReadConfig(Status, 2) & StatusCapabilityList) == 0)
            return;
        var visible = 0;
        var previous = CapabilityPointer;
        var at = (int)_function.ReadConfig(CapabilityPointer, 1) & ~3;
        for (var i = 0; i < MaxStandard && at >= HeaderRegisters.Size; i++)
        {
            var id = (byte)_function.ReadConfig(at + Id, 1);
            var next = (int)_function.ReadConfig(at + Next, 1) & ~3;
            var rule = StandardCapabilities.Rules.GetValueOrDefault(id);
            var length = Length(rule, at, ExtendedStart);
            if (length == 0)
            {
                _shadow.Write(previous, 1, (uint)next);
            }
            else
            {
                // The id is the hardware's anyway; making it virtual too spares every read of a chain the way down.
                _map.NoteStandard(id, at);
                Add(rule!, at, length, new(Id, 2, RegisterRule.All, 0));
                if (id == Pm.Id)
                    ClearPme(at);
                previous = at + Next;
                visible++;
            }

            at = next;
        }

        if (visible == 0)
            _shadow.Merge(Status, 2, StatusCapabilityList, 0);
    }

    // 0 for what is hidden, and for what would reach over the end: its registers are not all there. Raw bytes may end anywhere.
    private int Length(CapabilityRule? rule, int at, int end)
    {
        const int Shortest = 4;
        if (rule is null || at + rule.LengthReach > end || at + Shortest > end)
            return 0;
        var length = rule.Length(_function, at);
        if (length <= end - at)
            return length;
        _logger.LogWarning("{Function}: {Capability} at {Start:x} reaches over the end", _function.Address, rule.Name, at);
        return rule.RawWrites ? end - at : 0;
    }

    // The kernel finds where a capability starts by searching backwards for bytes of another id. So it takes the second of two of one id
    // that abut for the middle of the first, and where the rest of such a capability is the hardware's, its header is too.
    private void ShowAbutting()
    {
        foreach (var block in _map.Blocks)
        {
            var isFirst = block.Start is <= HeaderRegisters.Size or ExtendedStart;
            if (block.IsDirect && !isFirst && _map.BlockAt(block.Start - 1).Name == block.Name)
                block.ShowHardware();
        }
    }

    private void ClearPme(int at)
    {
        _shadow.Merge(at + Pm.Capabilities, 2, Pm.PmeSupport, 0);
        _shadow.Merge(at + Pm.Control, 4, Pm.PmeBits, 0);
    }

    private bool HasExtended()
        => _function.ConfigSize > ExtendedStart
            && (_map.Standard(Express.Id) != 0
                || (_map.Standard(PciX.Id) is > 0 and var at && (_function.ReadConfig(at + PciX.Command, 2) & 0x3000) != 0))
            && _function.ReadConfig(ExtendedStart, 4) != 0;

    private void AddExtended()
    {
        const int NextShift = 20;
        const uint NextMask = 0xFFCu << NextShift;
        var visible = 0;
        var previous = 0;
        var at = ExtendedStart;
        for (var i = 0; i < (_function.ConfigSize - ExtendedStart) / 4 && at >= ExtendedStart; i++)
        {
            var header = _function.ReadConfig(at, 4);
            var next = (int)((header & NextMask) >> NextShift);
            var rule = ExtendedCapabilities.Rules.GetValueOrDefault((ushort)header);
            var length = Length(rule, at, _function.ConfigSize);
            if (length != 0)
            {
                _map.NoteExtended((ushort)header, at);
                Add(rule!, at, length, new(0, 4, RegisterRule.All, 0));
                visible++;
                previous = at;
            }
            else if (previous != 0)
            {
                _shadow.Merge(previous, 4, NextMask, (uint)next << NextShift);
            }
            else
            {
                // The first cannot be unlinked: an empty header stays to hold the chain.
                AddBlock(new(rule?.Name ?? "hidden", at, 4, [new(0, 4, RegisterRule.All, 0)], rule is { RawWrites: true }));
                _shadow.Merge(at, 4, ~NextMask, 0);
                previous = at;
            }

            at = next;
        }

        if (visible == 0)
            _shadow.Write(ExtendedStart, 4, 0);
    }

    private void Add(CapabilityRule rule, int at, int length, RegisterRule header)
    {
        var registers = rule.Registers(_function, at);
        var block = new ConfigBlock(rule.Name, at, length, [header, .. registers], rule.RawWrites) { IsDirect = registers.Count == 0 };
        AddBlock(block);
        _map.AddSaved(at, rule.Saved(_function, at));
        if (rule.Trap is not null)
            _trapped.Add((block, rule));
    }

    private void AddBlock(ConfigBlock block)
    {
        for (var i = block.Start; i < block.Start + block.Length; i++)
        {
            if (!_map.IsUnassigned(i))
            {
                _logger.LogWarning(
                    "{Function}: {Capability} at {Start:x} overlaps another capability from {Offset:x}",
                    _function.Address,
                    block.Name,
                    block.Start,
                    i);
                break;
            }
        }

        _map.Add(block);
        Fill(block.Start, block.Length);
    }

    private void Fill(int start, int length)
    {
        var end = start + length;
        for (var at = start; at < end;)
        {
            var width = at % 4 == 0 && end - at >= 4 ? 4 : at % 2 == 0 && end - at >= 2 ? 2 : 1;
            _shadow.Write(at, width, _function.ReadConfig(at, width));
            at += width;
        }
    }
}
