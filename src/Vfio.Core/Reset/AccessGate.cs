namespace Vfio.Core.Reset;

/// <summary>
/// The kernel's <c>memory_lock</c>: accesses share it, and what turns memory off, changes the power state or resets holds it alone.
/// Entering shared is one interlocked instruction; it waits only while somebody holds the gate alone. A reset may hold it across an await.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "A SemaphoreSlim whose wait handle is never asked for holds nothing that needs disposing.")]
internal sealed class AccessGate
{
    private const int Alone = int.MinValue;
    private static readonly TimeSpan CancelAgain = TimeSpan.FromMilliseconds(10);
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly object _changed = new();

    // The sign bit: somebody holds the gate alone, or waits to. The rest: how many share it.
    private int _state;
    private int _owner;
    private volatile bool _isOver;
    private volatile Action? _wake;

    /// <summary>
    /// The device is closed: an access that was waiting, and passes only now, must touch nothing, because the function may be another
    /// client's. Set while the gate is held alone.
    /// </summary>
    public bool IsOver
    {
        get => _isOver;
        set => _isOver = value;
    }

    /// <summary>
    /// The function sleeps: nobody holds the gate, and it is closed all the same, so that whoever comes to it wakes the function first.
    /// </summary>
    public bool IsAsleep => _wake is not null;

    /// <summary>Whether an access would pass, or wake the function, and not wait.</summary>
    public bool IsPassable => Volatile.Read(ref _state) >= 0 || IsAsleep;

    /// <summary>Told when the gate has become passable, on the thread that let go of it; must not block.</summary>
    public Action? Passable { get; set; }

    /// <summary>Begins an access, unless it would have to wait for anything.</summary>
    public bool TryEnterShared()
    {
        if (Interlocked.Increment(ref _state) > 0)
            return true;
        ExitShared();
        return false;
    }

    /// <summary>Begins an access.</summary>
    public void EnterShared()
    {
        if (Interlocked.Increment(ref _state) <= 0)
            WaitForShared();
    }

    /// <summary>Ends an access.</summary>
    public void ExitShared()
    {
        if (Interlocked.Decrement(ref _state) != Alone)
            return;
        lock (_changed)
            Monitor.PulseAll(_changed);
    }

    /// <summary>Waits until every access has ended, and keeps others out.</summary>
    /// <param name="cancelTransfers">As for <see cref="CloseAsync"/>; null to wait for transfers.</param>
    /// <returns>False if this thread holds the gate alone already, and then does not leave it a second time.</returns>
    public bool EnterAlone(Action? cancelTransfers = null)
    {
        if (IsOwner)
        {
            WakeNow();
            return false;
        }

        _turn.Wait();
        try
        {
            Drain(cancelTransfers);
            WakeNow();
        }
        catch
        {
            Open();
            throw;
        }

        BeginOwner();
        return true;
    }

    /// <summary>Leaves the gate after <see cref="EnterAlone"/>.</summary>
    /// <param name="entered">What it returned.</param>
    public void ExitAlone(bool entered)
    {
        if (!entered)
            return;
        EndOwner(0);
        Open();
    }

    /// <summary>
    /// Leaves the gate after <see cref="EnterAlone"/> has returned true, with the function asleep: <paramref name="wake"/> is run by the
    /// next that comes, shared or alone, before it is let in.
    /// </summary>
    public void ExitAsleep(Action wake)
    {
        EndOwner(0);
        _wake = wake;
        Open();
    }

    /// <summary>Wakes the function, if it sleeps.</summary>
    public void Wake()
    {
        if (IsAsleep)
            ExitAlone(EnterAlone());
    }

    /// <summary>
    /// As <see cref="EnterAlone"/>, to be held across awaits: no thread owns it until one calls <see cref="BeginOwner"/>.
    /// </summary>
    /// <param name="cancelTransfers">
    /// Called while accesses are still under way: one may be waiting for a transfer whose other side waits for us.
    /// </param>
    /// <param name="cancellationToken">Gives up waiting for another that holds the gate alone.</param>
    public async ValueTask CloseAsync(Action cancelTransfers, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Drain(cancelTransfers);
            WakeNow();
        }
        catch
        {
            Open();
            throw;
        }
    }

    /// <summary>
    /// As <see cref="CloseAsync"/>, where nobody is in and nobody wants to be alone. Never waits, and leaves asleep what sleeps: the
    /// owner's <see cref="Wake"/> wakes it.
    /// </summary>
    /// <returns>Whether it is closed now.</returns>
    public bool TryClose()
    {
        if (!_turn.Wait(0))
            return false;
        // Whoever comes to a sleeping function waits for the turn that was just taken.
        if (IsAsleep || Interlocked.CompareExchange(ref _state, Alone, 0) == 0)
            return true;
        _turn.Release();
        return false;
    }

    /// <summary>Ends <see cref="CloseAsync"/> and <see cref="TryClose"/>. What sleeps stays closed to all that do not wake it.</summary>
    public void Open()
    {
        lock (_changed)
        {
            if (!IsAsleep)
                Interlocked.And(ref _state, int.MaxValue);
            Monitor.PulseAll(_changed);
        }

        _turn.Release();
        Passable?.Invoke();
    }

    /// <summary>This thread speaks for whoever holds the gate alone: its accesses pass. For the hooks of a variant.</summary>
    /// <returns>Who did before: for <see cref="EndOwner"/>.</returns>
    public int BeginOwner() => Interlocked.Exchange(ref _owner, Environment.CurrentManagedThreadId);

    /// <summary>Ends <see cref="BeginOwner"/>.</summary>
    /// <param name="before">What it returned.</param>
    public void EndOwner(int before) => Volatile.Write(ref _owner, before);

    /// <summary>Whether this thread holds the gate alone.</summary>
    public bool IsOwner => Volatile.Read(ref _owner) == Environment.CurrentManagedThreadId;

    private void WaitForShared()
    {
        // The count that was taken stands: whoever holds the gate alone has no other accesses to mind.
        while (!IsOwner)
        {
            ExitShared();
            lock (_changed)
            {
                while (!IsPassable)
                    Monitor.Wait(_changed);
            }

            Wake();
            if (Interlocked.Increment(ref _state) > 0)
                return;
        }
    }

    // The gate is held alone, and by this thread.
    private void WakeNow()
    {
        if (_wake is not { } wake)
            return;
        _wake = null;
        var before = BeginOwner();
        try
        {
            wake();
        }
        finally
        {
            EndOwner(before);
        }
    }

    private void Drain(Action? cancelTransfers)
    {
        Interlocked.Or(ref _state, Alone);
        lock (_changed)
        {
            while (Volatile.Read(ref _state) != Alone)
            {
                if (cancelTransfers is null)
                {
                    Monitor.Wait(_changed);
                    continue;
                }

                cancelTransfers();
                // An access that was under way may begin another transfer, so once is not enough.
                Monitor.Wait(_changed, CancelAgain);
            }
        }
    }
}
