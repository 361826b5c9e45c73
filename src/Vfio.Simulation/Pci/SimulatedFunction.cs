namespace Vfio.Simulation.Pci;

/// <summary>What a simulated function is made of.</summary>
internal sealed record FunctionDescription
{
    public required PciAddress Address { get; init; }

    public required PciId Id { get; init; }

    public required string Model { get; init; }

    /// <summary>The PF's SR-IOV; null for a PF.</summary>
    public SingleRootIov? Owner { get; init; }

    public int VirtualFunctionIndex { get; init; } = -1;

    public required ConfigSpace Config { get; init; }

    public required FunctionInterrupts Interrupts { get; init; }

    /// <summary>Offset of the power management capability, and whether going from D3hot to D0 resets.</summary>
    public required int PowerManagement { get; init; }

    public bool PowerManagementResets { get; init; }

    public required int Express { get; init; }

    public required ErrorReporting Errors { get; init; }

    public required IReadOnlyDictionary<int, SimulatedBar> Bars { get; init; }
}

/// <summary>A PCI function in software: configuration space, BARs, power states and resets around a device.</summary>
internal sealed class SimulatedFunction : IPciFunction, IDisposable
{
    private readonly FunctionDescription _description;
    private readonly SemaphoreSlim _resets = new(1);
    private readonly ConfigSpace _config;
    private readonly Lock _mastering = new();
    private int _pendingResets;
    private volatile Action? _errorReported;

    internal SimulatedFunction(FunctionDescription description, IFunctionDevice device, FunctionDma dma)
    {
        _description = description;
        _config = description.Config;
        Device = device;
        Dma = dma;
        ResetMethods = description.PowerManagementResets
            ? [FunctionResetMethod.Flr, FunctionResetMethod.PowerManagement]
            : [FunctionResetMethod.Flr];
        foreach (var bar in description.Bars.Values)
            bar.Attach(this);
        _config.OnWrite(ConfigOffset.Command, _ => UpdateBusMaster());
        _config.OnWrite(PowerControl, OnPowerState);
        _config.OnWrite(description.Express + Capabilities.Express.DeviceControl, OnDeviceControl);
    }

    internal IFunctionDevice Device { get; }

    internal FunctionDma Dma { get; }

    internal ConfigSpace Config => _config;

    /// <summary>Runs after a reset has put the device and its registers at their defaults, before the function answers again.</summary>
    internal Func<Task>? AfterReset { get; set; }

    public PciAddress Address => _description.Address;

    public PciId Id => _description.Id;

    public string? Model => _description.Model;

    public FunctionVirtualization Virtualization => FunctionVirtualization.Raw;

    public PciAddress? PhysicalFunction => _description.Owner?.PhysicalFunction;

    public int VirtualFunctionIndex => _description.VirtualFunctionIndex;

    public int ConfigSize => _config.Size;

    public IInterruptLines Interrupts => _description.Interrupts;

    public IReadOnlyList<FunctionResetMethod> ResetMethods { get; }

    /// <inheritdoc/>
    public IHotResetDomain? HotResetDomain { get; internal set; }

    /// <summary>Whether memory BARs decode: COMMAND.Memory of a PF, VF MSE of a VF's PF, and power state D0.</summary>
    internal bool MemoryEnabled
        => Answers && PowerState == 0
            && (_description.Owner?.MemoryEnabled ?? (_config.Read(ConfigOffset.Command, 2) & ConfigOffset.CommandMemory) != 0);

    private bool Answers => Volatile.Read(ref _pendingResets) == 0 && (_description.Owner?.IsEnabled(VirtualFunctionIndex) ?? true);

    private uint PowerState => _config.Read(PowerControl, 2) & Capabilities.PowerManagement.StateMask;

    private int PowerControl => _description.PowerManagement + Capabilities.PowerManagement.ControlStatus;

    public uint ReadConfig(int offset, int width) => Answers ? _config.Read(offset, width) : ConfigSpace.Ones(width);

    public void WriteConfig(int offset, int width, uint value)
    {
        if (Answers)
            _config.Write(offset, width, value);
    }

    public IPciBar? Bar(int index) => _description.Bars.GetValueOrDefault(index);

    public async ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken)
    {
        if (!ResetMethods.Contains(method))
            return Errno.ENOTTY;
        await ResetAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        return VfioResult.Success;
    }

    public void OnUncorrectableError(Action? reported) => _errorReported = reported;

    // Transfers are cancelled first, so the wait is for the device's own work alone.
    public void ConnectDma(IDmaSpace? dma) => Dma.ConnectAsync(dma, Device.RestAsync).GetAwaiter().GetResult();

    public bool IsDmaMediated => true;

    internal ErrorReporting Errors => _description.Errors;

    /// <summary>The function detects an error.</summary>
    /// <returns>Whether it reports it; one that does not answer detects nothing.</returns>
    internal bool Detect(UncorrectableError error)
    {
        if (!Answers || !Errors.Detect(error))
            return false;
        _errorReported?.Invoke();
        return true;
    }

    /// <summary>A reset from any cause; resets of one function follow one another.</summary>
    internal async Task ResetAsync()
    {
        Interlocked.Increment(ref _pendingResets);
        await _resets.WaitAsync().ConfigureAwait(false);
        try
        {
            await Dma.HaltAsync(Device.ResetAsync, ResetRegisters).ConfigureAwait(false);
            if (AfterReset is { } after)
                await after().ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _pendingResets);
            _resets.Release();
        }
    }

    public void Dispose() => _resets.Dispose();

    private void ResetRegisters()
    {
        _config.Reset();
        _description.Interrupts.Reset();
        UpdateBusMaster();
    }

    private void UpdateBusMaster()
    {
        // Whoever looks last at the registers has the last word.
        lock (_mastering)
            Dma.BusMaster = PowerState == 0 && (_config.Read(ConfigOffset.Command, 2) & ConfigOffset.CommandBusMaster) != 0;
        Device.Wake();
    }

    private void OnPowerState(ConfigWrite write)
    {
        const uint D3Hot = 3;
        var before = write.Before & Capabilities.PowerManagement.StateMask;
        var after = write.After & Capabilities.PowerManagement.StateMask;
        if (_description.PowerManagementResets && before == D3Hot && after == 0)
            StartReset();
        else
            UpdateBusMaster();
    }

    private void OnDeviceControl(ConfigWrite write)
    {
        if ((write.Written & Capabilities.Express.InitiateFlr) != 0)
            StartReset();
    }

    // The writer does not wait: the function answers all ones until it is back, as hardware does within 100 ms.
    private void StartReset()
    {
        Interlocked.Increment(ref _pendingResets);
        _ = Task.Run(async () =>
        {
            await ResetAsync().ConfigureAwait(false);
            Interlocked.Decrement(ref _pendingResets);
        });
    }
}
