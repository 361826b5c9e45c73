using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Core.Config;
using Vfio.Core.Interrupts;
using Vfio.Core.Mediated;

namespace Vfio.Core;

/// <summary>
/// A software-mediated PCI device: the ops of a VFIO device with no PCI function under them, as the kernel's mdev drivers have them. This
/// class has what they all need (configuration space, BARs, one INTx pin, the error and request indexes, open and close); the device adds
/// its regions and <see cref="ResetDeviceAsync"/>, and overrides whatever else differs.
/// </summary>
/// <remarks>
/// A conventional device of 256 bytes of configuration space, without capabilities. COMMAND is the client's to write and stops neither
/// accesses nor DMA; its Interrupt Disable masks the pin. Configuration space and the set-up of interrupts survive a reset, as they do in
/// the kernel, and start anew with each open. All DMA goes through <see cref="Dma"/>, so that it can be logged there.
/// </remarks>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "A SemaphoreSlim whose wait handle is never asked for holds nothing that needs disposing.")]
public abstract class MediatedPciDevice : VfioDevice
{
    private static readonly RegisterRange CommandRegister = new(HeaderRegisters.Command, 2);
    private readonly Lock _commanding = new();
    private readonly DeviceRegion?[] _bars = new DeviceRegion?[RegionIndex.Rom];
    private readonly bool[] _taken = new bool[RegionIndex.Rom];
    private readonly MediatedLines _lines = new();
    private readonly MediatedConfig _config;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly ILogger _logger;
    private volatile InterruptController? _interrupts;
    private volatile IDmaSpace? _dma;

    /// <summary>Creates the device, closed.</summary>
    /// <param name="id">What it says it is.</param>
    /// <param name="logger">Where it is told what went wrong on nobody's behalf.</param>
    protected MediatedPciDevice(PciId id, ILogger? logger = null)
    {
        Id = id;
        _logger = logger ?? NullLogger.Instance;
        _config = new(id, () => _lines.IntxAsserted);
    }

    /// <summary>What it says it is.</summary>
    public PciId Id { get; }

    /// <inheritdoc/>
    public override DeviceInfo Info => new(DeviceFlags.Pci | DeviceFlags.Reset, RegionIndex.FixedCount, IrqInfo.IndexCount);

    /// <inheritdoc/>
    public override bool IsDmaMediated => true;

    /// <summary>The memory that the device's DMA reaches; null while it is closed.</summary>
    protected IDmaSpace? Dma => _dma;

    /// <summary>Gives the device a BAR; for its constructor.</summary>
    /// <param name="index">0 to 5; a 64-bit one takes the next as well.</param>
    /// <param name="region">
    /// What is behind it: its size, how it is read, written and mapped. The register shows the next power of two.
    /// </param>
    /// <param name="kind">What it decodes.</param>
    /// <exception cref="ArgumentException">It cannot be there, or one is there already.</exception>
    protected void AddBar(int index, DeviceRegion region, BarKind kind = BarKind.Memory32)
    {
        const ulong Most32 = 1UL << 31, Most64 = 1UL << 62;
        var last = kind == BarKind.Memory64 ? index + 1 : index;
        if (index < 0 || last >= _bars.Length || _taken[index] || _taken[last]
            || region.Size == 0 || region.Size > (kind == BarKind.Memory64 ? Most64 : Most32))
        {
            throw new ArgumentException($"BAR {index} of {region.Size} bytes cannot be there", nameof(index));
        }

        _taken[index] = _taken[last] = true;
        _bars[index] = region;
        _config.AddBar(index, region.Size, kind);
    }

    /// <summary>
    /// Drives the INTx pin. It is a level: a client is told of its rise, and again when it unmasks while the pin is still asserted. Does
    /// not block.
    /// </summary>
    /// <param name="asserted">Whether the device wants its interrupt served.</param>
    protected void DriveIntx(bool asserted) => _lines.Drive(asserted);

    /// <summary>Tells the client of an error that the device cannot mend (the error index).</summary>
    protected void ReportError() => _interrupts?.ReportError();

    /// <summary>
    /// Brings what is the device's own to its state at power-on, and returns once nothing is under way any more that would signal or touch
    /// memory. Transfers that wait for the client have been cancelled.
    /// </summary>
    /// <param name="cause">Why.</param>
    /// <param name="cancellationToken">Gives up waiting; never given up when the device is opened or closed.</param>
    protected abstract ValueTask ResetDeviceAsync(ResetCause cause, CancellationToken cancellationToken);

    /// <inheritdoc/>
    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_interrupts is not null)
                return Errno.EBUSY;
            if (context.VfToken is not null)
                return Errno.EINVAL;
            _config.Reset();
            await ResetCoreAsync(ResetCause.Open, CancellationToken.None).ConfigureAwait(false);
            _dma = context.Dma;
            _interrupts = new(_lines, static () => true, reportsErrors: true, _logger);
            return VfioResult.Success;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public override async ValueTask CloseAsync(ResetCause cause)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_interrupts is not { } interrupts)
                return;
            interrupts.Close();
            await ResetCoreAsync(cause, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _dma = null;
            _interrupts = null;
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_interrupts is null)
                return Errno.EINVAL;
            await ResetCoreAsync(cause, cancellationToken).ConfigureAwait(false);
            return VfioResult.Success;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    /// <remarks>A ROM and a VGA region are absent, and asking for them is no error.</remarks>
    public override VfioResult<RegionInfo> GetRegionInfo(int region) => region switch
    {
        RegionIndex.Config => new RegionInfo { Size = MediatedConfig.Length, Flags = RegionFlags.Read | RegionFlags.Write },
        RegionIndex.Rom or RegionIndex.Vga => RegionInfo.Absent,
        _ when (uint)region < (uint)_bars.Length => _bars[region]?.Info ?? RegionInfo.Absent,
        _ => Errno.EINVAL,
    };

    /// <inheritdoc/>
    public override VfioResult<RegionMapping> Map(int region)
        => (uint)region < (uint)_bars.Length && _bars[region]?.Mapping is { } mapping ? mapping : Errno.EINVAL;

    /// <inheritdoc/>
    public override VfioResult<IrqInfo> GetIrqInfo(int index) => (IrqIndex)index switch
    {
        IrqIndex.Intx => new IrqInfo(IrqFlags.EventFd | IrqFlags.Maskable | IrqFlags.Automasked, 1),
        IrqIndex.Msi or IrqIndex.Msix => new IrqInfo(IrqFlags.EventFd | IrqFlags.NoResize, 0),
        IrqIndex.Error or IrqIndex.Request => new IrqInfo(IrqFlags.EventFd | IrqFlags.NoResize, 1),
        _ => Errno.EINVAL,
    };

    /// <inheritdoc/>
    public override VfioResult<int> SetIrqs(in IrqSet set)
    {
        if (_interrupts is { } interrupts)
            return interrupts.Set(set);
        set.DisposeEventFds();
        return Errno.EINVAL;
    }

    /// <inheritdoc/>
    public override void RequestRelease(int count) => _interrupts?.Request();

    /// <inheritdoc/>
    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return 0;
        if (region == RegionIndex.Config)
            return _config.Read(offset, destination);
        if (Bar(region, offset) is not { } bar || !bar.Flags.HasFlag(RegionFlags.Read))
            return Errno.EINVAL;
        return bar.Read(offset, destination[..Fit(offset, destination.Length, bar.Size)]);
    }

    /// <inheritdoc/>
    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return 0;
        if (region == RegionIndex.Config)
            return WriteConfig(offset, source);
        if (Bar(region, offset) is not { } bar || !bar.Flags.HasFlag(RegionFlags.Write))
            return Errno.EINVAL;
        return bar.Write(offset, source[..Fit(offset, source.Length, bar.Size)]);
    }

    private VfioResult<int> WriteConfig(ulong offset, ReadOnlySpan<byte> source)
    {
        if (!CommandRegister.Overlaps(offset, source.Length))
            return _config.Write(offset, source);
        // The pin follows the register, whoever else writes it.
        lock (_commanding)
        {
            var result = _config.Write(offset, source);
            _interrupts?.SetIntxDisabled(_config.IntxDisabled, alone: false);
            return result;
        }
    }

    private async ValueTask ResetCoreAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        _dma?.CancelTransfers();
        await ResetDeviceAsync(cause, cancellationToken).ConfigureAwait(false);
        _lines.Drive(false);
        RaiseWasReset(cause);
    }

    private DeviceRegion? Bar(int region, ulong offset)
        => (uint)region < (uint)_bars.Length && _bars[region] is { } bar && offset < bar.Size ? bar : null;

    private static int Fit(ulong offset, int count, ulong size) => (int)Math.Min((ulong)count, size - offset);
}
