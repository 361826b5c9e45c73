namespace Vfio.Simulation.Nvme.Queues;

/// <summary>A completion queue, as the controller's thread keeps it.</summary>
internal sealed class CompletionQueue
{
    private const int BusyInterrupts = 32;

    // The tail when the host was last interrupted.
    private int _announced;

    // How many interrupts it takes without overlapping commands until the host no longer counts as busy.
    private int _busy;

    internal required int Id { get; init; }

    /// <summary>Where it lies in the host's memory.</summary>
    internal required ulong Base { get; init; }

    /// <summary>Entries; one of them always stays free.</summary>
    internal required int Size { get; init; }

    /// <summary>The interrupt vector; -1 if the queue raises none.</summary>
    internal required int Vector { get; init; }

    /// <summary>The host's head, as last seen.</summary>
    internal int Head { get; set; }

    internal int Tail { get; set; }

    internal bool Phase { get; set; } = true;

    /// <summary>Slots that commands in progress will need.</summary>
    internal int Reserved { get; set; }

    /// <summary>How many submission queues complete here.</summary>
    internal int Users { get; set; }

    /// <summary>Whether entries were added that an interrupt has yet to tell of.</summary>
    internal bool Unannounced => Vector >= 0 && Fresh > 0;

    /// <summary>Since when, as <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/> has it.</summary>
    internal long UnannouncedSince { get; set; }

    /// <summary>When the last entry was added.</summary>
    internal long LastAdded { get; set; }

    /// <summary>
    /// Whether the host has lately had several commands in flight here, so that it can wait for one while it deals with another.
    /// </summary>
    internal bool IsBusy => _busy > 0;

    /// <summary>How many entries no interrupt has told of.</summary>
    internal int Fresh => Tail >= _announced ? Tail - _announced : Tail - _announced + Size;

    /// <summary>Whether the host has yet to take entries that an interrupt has told of.</summary>
    internal bool HostIsBehind => Used > Fresh;

    /// <summary>The last head that was refused: it is reported once.</summary>
    internal uint RefusedHead { get; set; } = uint.MaxValue;

    internal int Used => Tail >= Head ? Tail - Head : Tail - Head + Size;

    /// <summary>How many more commands may be begun.</summary>
    internal int Room => Size - 1 - Used - Reserved;

    /// <summary>An interrupt tells of everything up to here.</summary>
    internal void Announce()
    {
        _busy = Math.Max(_busy - 1, 0);
        _announced = Tail;
    }

    internal void Advance()
    {
        // A host with one command in flight has taken its entry before it sends the next.
        if (Used > 0)
            _busy = BusyInterrupts;
        if (++Tail != Size)
            return;
        Tail = 0;
        Phase = !Phase;
    }
}

/// <summary>A submission queue, as the controller's thread keeps it.</summary>
internal sealed class SubmissionQueue
{
    internal required int Id { get; init; }

    /// <summary>Where it lies in the host's memory.</summary>
    internal required ulong Base { get; init; }

    /// <summary>Entries; one of them always stays free.</summary>
    internal required int Size { get; init; }

    internal required CompletionQueue Completion { get; init; }

    internal int Head { get; set; }

    /// <summary>The host's tail, as last seen.</summary>
    internal int Tail { get; set; }

    /// <summary>The last tail that was refused: it is reported once.</summary>
    internal uint RefusedTail { get; set; } = uint.MaxValue;
}
