namespace Vfio.Core.Migration;

/// <summary>
/// A session as its service has it: from the arc that begins it to whatever ends it. It ends once, at once, and without waiting for
/// anybody; <see cref="Completion"/> tells when the variant has let go of it too. Thread-safe.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "The variant may look at the token at any time; its source has neither a timer nor a wait handle.")]
internal abstract class DataSession(MigrationService service, VariantCalls variant) : MigrationSession
{
    private readonly CancellationTokenSource _ended = new();

    /// <summary>Held for a few instructions, never while anybody else's code runs.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The user's end of it; every one of them is the same stream.</summary>
    public abstract MigrationDataStream Stream { get; }

    /// <summary>Completes when nothing of the variant runs in the session; never fails. Asked once the session is over.</summary>
    public abstract Task Completion { get; }

    public override MigrationState State => service.State;

    public override CancellationToken Ended => _ended.Token;

    /// <summary>Whether it is over. Exact with the gate held.</summary>
    public bool IsOver { get; private set; }

    protected MigrationService Service => service;

    protected VariantCalls Variant => variant;

    /// <summary>The device has reached a state of this session: what is to run in it begins. Called with the gate held.</summary>
    public abstract void Reached(MigrationState state);

    /// <summary>Ends it: readers and writers wake up, the variant is told, and what nobody has read is dropped.</summary>
    public void End()
    {
        lock (Gate)
        {
            if (IsOver)
                return;
            IsOver = true;

            // Before the pipe is torn down: the variant must be able to tell its end from the end of the data.
            variant.Cancel(_ended);
            OnEnded();
        }
    }

    /// <summary>Called once, with the gate held.</summary>
    protected abstract void OnEnded();
}
