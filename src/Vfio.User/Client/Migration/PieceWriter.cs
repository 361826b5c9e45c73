using Vfio.User.Client.Calls;
using Vfio.User.Wire;

namespace Vfio.User.Client.Migration;

/// <summary>Writes by MIG_DATA_WRITE, with several on the way. For one write.</summary>
internal sealed class PieceWriter(Caller caller, int mostBytes)
{
    private const int Depth = 4;
    private readonly Queue<(Call Call, Task<VfioResult<int>> Reply)> _pending = new();

    /// <summary>Writes all of it, and waits until the server has answered all of it.</summary>
    /// <returns>The first errno.</returns>
    public async ValueTask<VfioResult> WriteAsync(nint source, int length, CancellationToken cancellationToken)
    {
        var result = VfioResult.Success;
        for (var at = 0; at < length && result.IsSuccess;)
        {
            var count = Math.Min(mostBytes, length - at);
            result = Begin(source + at, count, cancellationToken);
            at += count;
            if (result.IsSuccess && _pending.Count == Depth)
                result = await FinishOneAsync().ConfigureAwait(false);
        }

        while (_pending.Count != 0)
        {
            var finished = await FinishOneAsync().ConfigureAwait(false);
            if (result.IsSuccess)
                result = finished;
        }

        cancellationToken.ThrowIfCancellationRequested();
        return result;
    }

    private unsafe VfioResult Begin(nint source, int length, CancellationToken cancellationToken)
    {
        var head = new MigrationDataStructure { ArgSize = (uint)(MigrationDataStructure.Size + length), Length = (uint)length };
        if (caller.Begin(Command.MigrationDataWrite, head, MigrationDataStructure.Size) is not { } call)
            return Errno.ENOTCONN;
        _pending.Enqueue((call, Settle(caller.CallAsync(call, (byte*)source, length, cancellationToken))));
        return VfioResult.Success;
    }

    // Given up is an outcome as any other here: the rest is waited for all the same.
    private static async Task<VfioResult<int>> Settle(ValueTask<VfioResult<int>> reply)
    {
        try
        {
            return await reply.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return Errno.ECANCELED;
        }
    }

    private async ValueTask<VfioResult> FinishOneAsync()
    {
        var (call, reply) = _pending.Dequeue();
        var result = await reply.ConfigureAwait(false);
        caller.End(call);
        return result;
    }
}
