using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Vfio;
using Vfio.Core;

namespace SharedPages;

/// <summary>
/// The device that libvfio-user's sample client expects: an alarm clock (BAR 0) that interrupts and does DMA, and three pages of memory
/// (BAR 1), of which a client may map the first and the last.
/// </summary>
internal sealed partial class SharedPagesDevice : MediatedPciDevice, IDisposable
{
    private const int Chunk = 1024, Chunks = 4;
    private static readonly PciId Ids = new(0xDEAD, 0xBEEF, 0xCAFE, 0xBABE, ClassCode: 0, Revision: 0);
    private readonly FirstRegions _regions = new();
    private readonly SharedMemoryRegion _pages = new(PageLayout.Size, PageLayout.Mappable);
    private readonly Alarm _alarm;
    private readonly ILogger _logger;
    private IDisposable? _following;

    public SharedPagesDevice(TimeProvider time, ILogger<SharedPagesDevice>? logger = null)
        : base(Ids, logger)
    {
        _logger = logger ?? NullLogger<SharedPagesDevice>.Instance;
        _alarm = new(time, GoOff);
        AddBar(0, new TimeRegister(_alarm, acknowledge: () => DriveIntx(false)), BarKind.Io);
        AddBar(1, _pages);
        Migration = new SharedPagesMigration(_pages, _alarm);
    }

    public override IMigration Migration { get; }

    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        var opened = await base.OpenAsync(context, cancellationToken);
        if (opened.IsSuccess)
            _following = context.Dma.Observe(_regions);
        return opened;
    }

    public override async ValueTask CloseAsync(ResetCause cause)
    {
        await base.CloseAsync(cause);
        Interlocked.Exchange(ref _following, null)?.Dispose();
        _regions.Clear();
    }

    public void Dispose() => _alarm.Dispose();

    protected override async ValueTask ResetDeviceAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        await _alarm.CancelAsync(cancellationToken);
        _pages.Clear();
        if (cause is not (ResetCause.Close or ResetCause.ClientLost))
            _alarm.Start();
    }

    // The interrupt first: whoever is its client and serves our messages itself waits for it before it looks for them.
    private void GoOff(CancellationToken cancelled)
    {
        DriveIntx(true);
        if (Dma is not { } memory)
            return;
        Exercise(memory, _regions[1], "in place", cancelled);
        Exercise(memory.ByMessage ?? memory, _regions[0], "by message", cancelled);
    }

    /// <summary>Writes four pieces of letters, and reads them back in two.</summary>
    private void Exercise(IDmaSpace memory, ulong? start, string how, CancellationToken cancelled)
    {
        if (start is not { } iova)
            return;
        Span<byte> written = stackalloc byte[Chunk * Chunks], read = stackalloc byte[Chunk * Chunks];
        var error = Errno.None;
        for (var at = 0; at < written.Length && error == Errno.None && !cancelled.IsCancellationRequested; at += Chunk)
        {
            var piece = written.Slice(at, Chunk);
            piece.Fill((byte)('A' + (at / Chunk)));
            error = memory.Write(iova + (ulong)at, piece).Error;
        }

        for (var at = 0; at < read.Length && error == Errno.None && !cancelled.IsCancellationRequested; at += 2 * Chunk)
            error = memory.Read(iova + (ulong)at, read.Slice(at, 2 * Chunk)).Error;
        if (cancelled.IsCancellationRequested)
            return;
        if (error != Errno.None)
            LogFailed(how, iova, error);
        else if (!read.SequenceEqual(written))
            LogDiffers(how, iova);
        else
            LogDone(how, iova);
    }

    [LoggerMessage(1, LogLevel.Debug, "DMA {How} at {Iova:x}: written and read back")]
    private partial void LogDone(string how, ulong iova);

    [LoggerMessage(2, LogLevel.Error, "DMA {How} at {Iova:x}: what was read is not what was written")]
    private partial void LogDiffers(string how, ulong iova);

    [LoggerMessage(3, LogLevel.Warning, "DMA {How} at {Iova:x}: {Error}")]
    private partial void LogFailed(string how, ulong iova, Errno error);
}
