using System.Numerics;

namespace Vfio.Core;

/// <summary>
/// A device's DMA log as its front end has it: with every check made once, whoever keeps the log. The device's own, or else that of the
/// DMA space if all of the device's DMA goes through it. Thread-safe; calls wait for each other.
/// </summary>
/// <remarks>
/// <para>
/// As in the kernel the log is independent of the migration state, and a reset leaves it running: only <see cref="Stop"/> and
/// <see cref="Close"/> end it. The kernel's core keeps no note of that, and its drivers each refuse a second start; here it is done once.
/// </para>
/// <para>
/// A report that fails may have lost what it had taken from the device. Who asked must take all of the range for written; until the log is
/// stopped every further report says that everything is.
/// </para>
/// </remarks>
public sealed class DmaLoggingService : IDmaLogging
{
    private readonly bool _isMediated;
    private readonly Lock _lock = new();
    private volatile IDmaLogging? _own;
    private volatile bool _isOpen;
    private volatile IDmaLogging? _log;
    private bool _isRunning;
    private bool _isPoisoned;

    /// <summary>Creates the service of a device, which is closed.</summary>
    /// <param name="own">The device's own log; null if it has none, or is not known to have one before it is open.</param>
    /// <param name="isDmaMediated">Whether all of its DMA goes through the space that it is opened with.</param>
    public DmaLoggingService(IDmaLogging? own, bool isDmaMediated)
    {
        _own = own;
        _isMediated = isDmaMediated;
        _log = own;
    }

    /// <summary>
    /// Whether there is a log; otherwise the features are absent (ENOTTY). While the device is open it depends on the space too: not every
    /// one keeps a log.
    /// </summary>
    public bool IsPresent => _own is not null || (_isMediated && (!_isOpen || _log is not null));

    /// <summary>The device has been opened.</summary>
    /// <param name="dma">The memory that its DMA reaches.</param>
    /// <param name="own">Its own log, where that is known only now, as of a device in another process; null leaves what was known.</param>
    public void Open(IDmaSpace dma, IDmaLogging? own = null)
    {
        lock (_lock)
        {
            _own = own ?? _own;
            _log = _own ?? (_isMediated ? dma.CreateWriteLog() : null);
            _isOpen = true;
        }
    }

    /// <summary>The device is about to be closed: logging ends.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isOpen = false;
            StopRunning();
            _log = _own;
        }
    }

    /// <inheritdoc/>
    /// <returns>
    /// EINVAL: no range; a page size that is no power of two; a range that is empty, not of whole pages, or overlaps another; it is logging
    /// already. E2BIG: more than <see cref="IovaRanges.Limit"/>. EOVERFLOW: a range that ends at 2^64 or wraps. ENODEV: the device is
    /// closed. EIO: the device chose a page size that is none. Any errno of the log's.
    /// </returns>
    public VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize)
    {
        var check = IovaRanges.Check(ranges, pageSize);
        if (!check.IsSuccess)
            return check;
        lock (_lock)
        {
            if (!_isOpen || _log is not { } log)
                return Errno.ENODEV;
            if (_isRunning)
                return Errno.EINVAL;
            var chosen = pageSize;
            var started = log.Start(IovaRanges.Combine(ranges, ranges.Length), ref chosen);
            if (!started.IsSuccess)
                return started;
            if (!BitOperations.IsPow2(chosen))
            {
                // What the log answers to being stopped changes nothing: it is not to be used.
                _ = log.Stop();
                return Errno.EIO;
            }

            (_isRunning, _isPoisoned, pageSize) = (true, false, chosen);
            return VfioResult.Success;
        }
    }

    /// <inheritdoc/>
    public VfioResult Stop()
    {
        lock (_lock)
            return StopRunning();
    }

    /// <inheritdoc/>
    /// <param name="iova">First address; page 0 of the report begins there.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="pageSize">Bytes that one bit stands for.</param>
    /// <param name="bitmap">Has a bit for each page.</param>
    /// <returns>
    /// EINVAL: a page size below 4 KiB or that is no power of two; no byte; a bitmap too small; it is not logging. EOVERFLOW: the range
    /// ends at 2^64 or wraps. Any other errno: all of the range must be taken for written.
    /// </returns>
    public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
    {
        var pages = IovaRanges.CheckReport(iova, length, pageSize, bitmap.Length);
        if (!pages.IsSuccess)
            return pages;
        lock (_lock)
        {
            if (!_isRunning || _log is not { } log)
                return Errno.EINVAL;
            if (_isPoisoned)
            {
                SetAll(bitmap, pages.Value);
                return VfioResult.Success;
            }

            _isPoisoned = true;
            var reported = log.Report(iova, length, pageSize, bitmap);
            _isPoisoned = !reported.IsSuccess;
            return reported;
        }
    }

    private static void SetAll(Span<ulong> bitmap, ulong pages)
    {
        var whole = (int)(pages >> 6);
        bitmap[..whole].Fill(ulong.MaxValue);
        if ((pages & 63) != 0)
            bitmap[whole] |= (1ul << (int)pages) - 1;
    }

    private VfioResult StopRunning()
    {
        if (!_isRunning || _log is not { } log)
            return VfioResult.Success;
        _isRunning = false;
        return log.Stop();
    }
}
