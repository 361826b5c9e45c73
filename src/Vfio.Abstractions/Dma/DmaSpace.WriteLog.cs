using System.Runtime.CompilerServices;

namespace Vfio;

// The logs of what is written: while none runs, a write costs one look at a field.
public partial class DmaSpace
{
    private readonly Lock _changingLogs = new();
    private volatile RunningLog[]? _running;
    private IDmaLogging? _writeLog;

    /// <inheritdoc/>
    /// <remarks>
    /// A write is in the next report once <see cref="Write"/> has returned or the segment has been released; one that is under way while a
    /// report is made is in that one or in the next. A segment that is held across a report is not in it, so whoever asks for the last
    /// report first sees to it that the device holds none, as STOP does. A log takes up to 2^30 pages of the size wished for, then pages of
    /// up to 2 MiB, then ENOMEM; memory is used for what has been written alone, at most 256 MiB.
    /// </remarks>
    public IDmaLogging WriteLog
        => _writeLog ?? Interlocked.CompareExchange(ref _writeLog, new SpaceWriteLog(this), null) ?? _writeLog;

    /// <inheritdoc/>
    public IDmaLogging CreateWriteLog() => new SpaceWriteLog(this);

    /// <inheritdoc/>
    public void MarkWritten(ulong iova, ulong length)
    {
        if (length != 0)
            NoteWritten(iova, length);
    }

    /// <summary>Notes a write of at least a byte, once it has been made.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void NoteWritten(ulong iova, ulong length)
    {
        if (_running is { } logs)
            Note(logs, iova, length);
    }

    internal void Add(RunningLog log)
    {
        lock (_changingLogs)
            _running = [.. _running ?? [], log];
        // Writers that saw no log have written when this returns: whoever reads memory from now on sees what is not in the log.
        Interlocked.MemoryBarrierProcessWide();
    }

    internal void Remove(RunningLog log)
    {
        lock (_changingLogs)
        {
            var left = _running is { } running ? Array.FindAll(running, other => other != log) : [];
            _running = left.Length == 0 ? null : left;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Note(RunningLog[] logs, ulong iova, ulong length)
    {
        var last = length - 1 > ulong.MaxValue - iova ? ulong.MaxValue : iova + (length - 1);
        foreach (var log in logs)
            log.Mark(iova, last);
    }
}
