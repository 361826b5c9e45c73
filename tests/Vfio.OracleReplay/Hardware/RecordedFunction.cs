namespace Vfio.OracleReplay.Hardware;

/// <summary>
/// A raw function whose configuration space, capabilities and writable bits come from a recording. It is hardware: it knows nothing of what
/// VFIO answered, and does with writes what the specifications say that hardware does. One for each open; cheap to make.
/// </summary>
internal sealed class RecordedFunction : IPciFunction
{
    private static readonly PciAddress At = new(0, 1, 0, 0);
    private readonly RecordedHardware _hardware;
    private readonly byte[] _config;
    private readonly RecordedBar?[] _bars = new RecordedBar?[RegionIndex.FixedCount];
    private readonly Lock _accessing = new();

    public RecordedFunction(RecordedHardware hardware)
    {
        _hardware = hardware;
        _config = [.. hardware.BeforeOpen];
        for (var i = 0; i < _bars.Length; i++)
            _bars[i] = hardware.Bars[i] is { } shape ? new(shape, this) : null;
        Interrupts = new RecordedLines(hardware.Interrupts);
        Id = new(
            hardware.VirtualFunction?.Vendor ?? (ushort)ConfigBytes.Load(_config, 0, 2),
            hardware.VirtualFunction?.Device ?? (ushort)ConfigBytes.Load(_config, 2, 2),
            (ushort)ConfigBytes.Load(_config, Registers.SubsystemVendor, 2),
            (ushort)ConfigBytes.Load(_config, Registers.SubsystemVendor + 2, 2),
            ConfigBytes.Load(_config, Registers.ClassCode - 1, 4) >> 8, _config[Registers.ClassCode - 1]);
        HotResetDomain = hardware.Neighbours is { } neighbours ? new RecordedDomain(At, neighbours) : null;
    }

    public PciAddress Address => At;

    public PciId Id { get; }

    public string? Model => "recorded";

    public FunctionVirtualization Virtualization => FunctionVirtualization.Raw;

    public PciAddress? PhysicalFunction => null;

    public int VirtualFunctionIndex => _hardware.IsVirtualFunction ? 0 : -1;

    public int ConfigSize => _config.Length;

    public IInterruptLines Interrupts { get; }

    public IReadOnlyList<FunctionResetMethod> ResetMethods => _hardware.ResetMethods;

    public IHotResetDomain? HotResetDomain { get; }

    /// <summary>Configuration space as it is now.</summary>
    public ReadOnlySpan<byte> Hardware => _config;

    /// <summary>Whether a BAR or the ROM answers: COMMAND, and a ROM's own enable; the memory of a VF is the PF's to enable.</summary>
    public bool Decodes(RecordedBarShape bar)
    {
        if (bar.IsShadow || (_hardware.IsVirtualFunction && bar.Kind != BarKind.Io))
            return true;
        var command = ConfigBytes.Load(_config, Registers.Command, 2);
        return (command & (bar.Kind == BarKind.Io ? Registers.CommandIo : Registers.CommandMemory)) != 0 && PowerState == 0
            && (bar.Index != RegionIndex.Rom || (_config[Registers.Rom] & Registers.RomEnable) != 0);
    }

    public uint ReadConfig(int offset, int width)
    {
        CheckAligned(offset, width);
        return ConfigBytes.Load(_config, offset, width);
    }

    public void WriteConfig(int offset, int width, uint value)
    {
        CheckAligned(offset, width);
        lock (_accessing)
        {
            var before = PowerState;
            for (var i = 0; i < width; i++)
            {
                var (at, written) = (offset + i, (byte)(value >> (8 * i)));
                var cleared = _config[at] & written & _hardware.Bits.ClearedByOne[at];
                var writable = _hardware.Bits.Writable[at] & ~cleared;
                _config[at] = (byte)((_config[at] & ~cleared & ~writable) | (written & writable));
            }

            ChangePower(before);
            if (IsFlr(offset, width, value))
                LoseState();
        }
    }

    /// <summary>Puts bits as something else than this client has left them.</summary>
    public void Set(int offset, ReadOnlySpan<byte> bytes) => bytes.CopyTo(_config.AsSpan(offset));

    public IPciBar? Bar(int index) => _bars[index];

    public ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken)
    {
        if (!_hardware.ResetWorks)
            return ValueTask.FromResult<VfioResult>(Errno.ENOTTY);
        lock (_accessing)
            LoseState();
        return ValueTask.FromResult(VfioResult.Success);
    }

    public void ConnectDma(IDmaSpace? dma)
    {
    }

    private int PowerRegister => _hardware.Standard(Registers.PowerManagement) is > 0 and var at ? at + Registers.PowerControl : 0;

    private uint PowerState => PowerRegister is > 0 and var at ? ConfigBytes.Load(_config, at, 1) & Registers.PowerStateMask : 0;

    // A state that the function does not have is not entered; coming up from D3hot loses everything unless No_Soft_Reset says otherwise.
    private void ChangePower(uint before)
    {
        const uint D3Hot = 3;
        if (PowerRegister is not (> 0 and var register) || PowerState == before)
            return;
        var capabilities = ConfigBytes.Load(_config, register - Registers.PowerControl + Registers.PowerCapabilities, 2);
        if ((PowerState == 1 && (capabilities & Registers.D1Support) == 0)
            || (PowerState == 2 && (capabilities & Registers.D2Support) == 0))
            _config[register] = (byte)((_config[register] & ~Registers.PowerStateMask) | before);
        else if (before == D3Hot && PowerState == 0 && (ConfigBytes.Load(_config, register, 2) & Registers.NoSoftReset) == 0)
            LoseState();
    }

    // What initiates an FLR. The core never lets it through; if it did, the function would lose its state.
    private bool IsFlr(int offset, int width, uint value)
        => IsSet(FunctionResetMethod.Flr, _hardware.Standard(Registers.Express) + Registers.DeviceControl + 1, 0x80, offset, width, value)
            || IsSet(FunctionResetMethod.AfFlr, _hardware.Standard(Registers.AdvancedFeatures) + Registers.AfControl, 1, offset, width,
                value);

    private bool IsSet(FunctionResetMethod method, int at, uint bit, int offset, int width, uint value)
        => at >= offset && at < offset + width && ((value >> (8 * (at - offset))) & bit) != 0
            && _hardware.ResetWorks && _hardware.ResetMethods.Contains(method);

    private void LoseState()
    {
        for (var i = 0; i < _config.Length; i++)
            _config[i] &= (byte)~_hardware.Bits.ClearedByReset[i];
        if (PowerRegister is > 0 and var register)
            _config[register] &= unchecked((byte)~Registers.PowerStateMask);
    }

    private void CheckAligned(int offset, int width)
    {
        if (width is not (1 or 2 or 4) || offset % width != 0 || offset < 0 || offset + width > _config.Length)
            throw new InvalidOperationException($"the core makes a configuration access of {width} bytes at {offset:x}");
    }
}
