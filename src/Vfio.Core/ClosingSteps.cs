using System.Runtime.ExceptionServices;

namespace Vfio.Core;

/// <summary>Steps that are all taken, whichever of them throws.</summary>
internal sealed class ClosingSteps
{
    private Exception? _first;

    public void Try(Action step)
    {
        try
        {
            step();
        }
        catch (Exception fault)
        {
            _first ??= fault;
        }
    }

    public async ValueTask TryAsync(Func<ValueTask> step)
    {
        try
        {
            await step().ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            _first ??= fault;
        }
    }

    /// <summary>Throws what the first step threw that did; what others threw after it mostly follows from that.</summary>
    public void ThrowFirst()
    {
        if (_first is not null)
            ExceptionDispatchInfo.Throw(_first);
    }
}
