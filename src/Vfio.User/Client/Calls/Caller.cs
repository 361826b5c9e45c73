using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Client.Calls;

/// <summary>Makes calls over a connection. Thread-safe.</summary>
internal sealed class Caller(Connection connection, TimeSpan timeout)
{
    private static readonly SafeFileHandle[] None = [];
    private readonly CallTable _calls = connection.Calls;

    /// <summary>Begins a call, to be ended by <see cref="End"/>.</summary>
    /// <param name="command">The command.</param>
    /// <param name="request">The payload of the request.</param>
    /// <param name="replyCapacity">The most bytes of the reply's payload, the data that is placed elsewhere not counted.</param>
    /// <returns>Null: the connection has ended.</returns>
    public Call? Begin(Command command, ReadOnlySpan<byte> request, int replyCapacity)
    {
        var call = _calls.Rent();
        if (call is not null)
            request.CopyTo(call.Begin(command, request.Length, replyCapacity));
        return call;
    }

    /// <inheritdoc cref="Begin(Command, ReadOnlySpan{byte}, int)"/>
    public Call? Begin<T>(Command command, in T request, int replyCapacity)
        where T : unmanaged
        => Begin(command, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in request)), replyCapacity);

    /// <summary>Ends a call: its buffers and what is left of its descriptors are given back.</summary>
    public void End(Call call) => _calls.End(call);

    /// <summary>Sends a call and waits for it on this thread.</summary>
    /// <param name="call">The call.</param>
    /// <param name="data">What follows the request's fixed part.</param>
    /// <param name="descriptors">What to pass along.</param>
    /// <returns>Bytes of the reply's payload, the placed data included; or the server's errno, or that there is no reply.</returns>
    public unsafe VfioResult<int> Call(Call call, ReadOnlySpan<byte> data = default, ReadOnlySpan<SafeFileHandle> descriptors = default)
    {
        call.Deadline = Deadline();
        fixed (byte* bytes = data)
        {
            var sent = Send(call, bytes, data.Length, descriptors);
            if (sent != Errno.None)
                return sent == Errno.ECANCELED ? Errno.ETIMEDOUT : sent;
        }

        if (call.Wait())
            return call.Result;
        if (_calls.TryAbandon(call))
            return Errno.ETIMEDOUT;

        // Its data is coming, and the place for it is not to be taken away. Once more the time, and the connection is.
        call.Deadline = Deadline();
        if (!call.Wait())
        {
            EndStalled();
            WaitDone(call);
        }

        return call.Result;
    }

    /// <summary>Sends a call, and waits for it without a thread.</summary>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="OperationCanceledException">It was given up: the reply, if it comes, is dropped.</exception>
    public unsafe ValueTask<VfioResult<int>> CallAsync(Call call, CancellationToken cancellationToken)
        => CallAsync(call, null, 0, cancellationToken);

    /// <inheritdoc cref="CallAsync(Call, CancellationToken)"/>
    /// <param name="call">The call.</param>
    /// <param name="data">What follows the request's fixed part: looked at before this returns, and not later.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public unsafe ValueTask<VfioResult<int>> CallAsync(Call call, byte* data, int length, CancellationToken cancellationToken)
    {
        if (timeout == Timeout.InfiniteTimeSpan && !cancellationToken.CanBeCanceled)
        {
            var sent = Send(call, data, length, None);
            return sent == Errno.None ? call.WaitAsync() : new(sent);
        }

        cancellationToken.ThrowIfCancellationRequested();
        var source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (timeout != Timeout.InfiniteTimeSpan)
            source.CancelAfter(timeout);
        var registration = source.Token.UnsafeRegister(_ => Cancel(call), null);
        var error = Send(call, data, length, None);
        return FinishAsync(call, error, source, registration, cancellationToken);
    }

    /// <inheritdoc cref="CallTable.TryAbandon"/>
    public bool TryAbandon(Call call) => _calls.TryAbandon(call);

    /// <inheritdoc cref="CallTable.TryReplace"/>
    public unsafe bool TryReplace(Call call, byte* data) => _calls.TryReplace(call, data);

    private static async ValueTask<VfioResult<int>> FinishAsync(
        Call call, Errno error, CancellationTokenSource source, CancellationTokenRegistration registration,
        CancellationToken cancellationToken)
    {
        VfioResult<int> result = error == Errno.None ? await call.WaitAsync().ConfigureAwait(false) : error;

        // Waits for a cancellation that is under way: the call is nobody's business then but its caller's.
        await registration.DisposeAsync().ConfigureAwait(false);
        source.Dispose();
        if (result.Error != Errno.ECANCELED || !call.WasCancelled)
            return result;
        cancellationToken.ThrowIfCancellationRequested();
        return Errno.ETIMEDOUT;
    }

    private static void WaitDone(Call call)
    {
        call.Deadline = long.MaxValue;
        call.Wait();
    }

    private long Deadline()
        => timeout == Timeout.InfiniteTimeSpan ? long.MaxValue : Environment.TickCount64 + (long)timeout.TotalMilliseconds;

    private void EndStalled() => connection.End(
        new VfioException(Errno.ETIMEDOUT, $"{connection.Name}: the server has stopped within a reply for {timeout}; the connection is given up"));

    private void Cancel(Call call)
    {
        call.WasCancelled = true;
        Interlocked.MemoryBarrier();
        connection.Sender.Wake();
        if (call.WasSent)
            Abandon(call);
    }

    private void Abandon(Call call)
    {
        if (_calls.TryAbandon(call))
            call.Complete(Errno.ECANCELED);
    }

    private unsafe Errno Send(Call call, byte* data, int length, ReadOnlySpan<SafeFileHandle> descriptors)
    {
        var error = _calls.Expect(call);
        if (error != Errno.None)
            return error;
        *(MessageHeader*)call.Message = new MessageHeader
        {
            Id = call.Id,
            Command = call.Command,
            MessageSize = (uint)(MessageHeader.Size + call.RequestLength + length),
            Flags = MessageFlags.Command,
        };
        error = connection.Sender.Send(call.Message, MessageHeader.Size + call.RequestLength, data, length, descriptors, call);
        if (error == Errno.None)
        {
            call.WasSent = true;
            Interlocked.MemoryBarrier();
            if (call.WasCancelled)
                Abandon(call);
            return Errno.None;
        }

        if (error != Errno.ECANCELED)
            connection.End(new VfioException(Errno.ECONNRESET, $"{connection.Name}: the server does not take a command: {error}"));

        var isForgotten = _calls.Forget(call);
        var isOver = error == Errno.ECANCELED && call.MillisecondsLeft == 0;
        if (error == Errno.EPIPE || isOver)
        {
            // It has come when the server was gone already, or was not taken in time, whoever noticed first that the connection has ended.
            if (!isForgotten)
                WaitDone(call);
            return isOver ? error : Errno.ENOTCONN;
        }

        // Done already where the connection has ended meanwhile, or the call was given up.
        return !isForgotten ? Errno.None : error == Errno.ECANCELED ? error : Errno.ECONNRESET;
    }
}
