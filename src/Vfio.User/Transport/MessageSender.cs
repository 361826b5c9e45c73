using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Transport;

/// <summary>
/// Sends whole messages, one after the other, header, body and descriptors in one call of sendmsg. Thread-safe: the order of the calls is
/// the order on the wire.
/// </summary>
internal sealed unsafe class MessageSender : IDisposable
{
    private readonly SafeFileHandle _socket;
    private readonly WakeEvent _wake = new();
    private readonly NativeBuffer _control = new((int)Libc.CMSG_SPACE(Libc.SCM_MAX_FD * sizeof(int)));
    private readonly object _turn = new();
    private int _busy;
    private int _waiting;

    public MessageSender(SafeFileHandle socket) => _socket = socket;

    /// <summary>Sends a message of one or two pieces.</summary>
    /// <param name="head">The first piece, header included.</param>
    /// <param name="headLength">Its bytes.</param>
    /// <param name="data">The second piece.</param>
    /// <param name="dataLength">Its bytes; 0 for none.</param>
    /// <param name="descriptors">What to pass along; at most <see cref="Libc.SCM_MAX_FD"/>.</param>
    /// <param name="cancelled">Gives up waiting for room when it says so; null never does. <see cref="Wake"/> has it asked again.</param>
    /// <returns>
    /// ECANCELED: nothing was sent, or the socket had to be shut down within the message. EPIPE: the other side was gone before any of it
    /// was sent. ECONNRESET and others: it is gone.
    /// </returns>
    public Errno Send(
        byte* head, int headLength, byte* data = null, int dataLength = 0, ReadOnlySpan<SafeFileHandle> descriptors = default,
        ICancelled? cancelled = null)
    {
        if (Interlocked.CompareExchange(ref _busy, 1, 0) != 0 && !WaitTurn(cancelled))
            return Errno.ECANCELED;
        try
        {
            return descriptors.IsEmpty
                ? SendPieces(head, headLength, data, dataLength, null, 0, cancelled)
                : SendWithDescriptors(head, headLength, data, dataLength, descriptors, cancelled);
        }
        finally
        {
            Interlocked.Exchange(ref _busy, 0);
            if (Volatile.Read(ref _waiting) != 0)
            {
                lock (_turn)
                    Monitor.PulseAll(_turn);
            }
        }
    }

    /// <summary>Has every send that waits ask whether it is cancelled.</summary>
    public void Wake()
    {
        _wake.Set();
        lock (_turn)
            Monitor.PulseAll(_turn);
    }

    public void Dispose()
    {
        _wake.Dispose();
        _control.Dispose();
    }

    private bool WaitTurn(ICancelled? cancelled)
    {
        Interlocked.Increment(ref _waiting);
        try
        {
            lock (_turn)
            {
                while (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
                {
                    if (cancelled is { IsCancelled: true })
                        return false;
                    Monitor.Wait(_turn, cancelled?.MillisecondsLeft ?? Poll.Infinite);
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }

        return true;
    }

    private Errno SendWithDescriptors(
        byte* head, int headLength, byte* data, int dataLength, ReadOnlySpan<SafeFileHandle> descriptors, ICancelled? cancelled)
    {
        var held = 0;
        try
        {
            var part = (cmsghdr*)_control.Address;
            part->cmsg_len = Libc.CMSG_LEN((nuint)descriptors.Length * sizeof(int));
            part->cmsg_level = Libc.SOL_SOCKET;
            part->cmsg_type = Libc.SCM_RIGHTS;
            var numbers = (int*)(_control.Address + Libc.CMSG_LEN(0));
            foreach (var descriptor in descriptors)
            {
                var added = false;
                descriptor.DangerousAddRef(ref added);
                numbers[held++] = (int)descriptor.DangerousGetHandle();
            }

            var control = Libc.CMSG_SPACE((nuint)descriptors.Length * sizeof(int));
            return SendPieces(head, headLength, data, dataLength, _control.Address, control, cancelled);
        }
        finally
        {
            foreach (var descriptor in descriptors[..held])
                descriptor.DangerousRelease();
        }
    }

    private Errno SendPieces(
        byte* head, int headLength, byte* data, int dataLength, byte* control, nuint controlLength, ICancelled? cancelled)
    {
        var vectors = stackalloc iovec[2];
        int sent = 0, total = headLength + dataLength;
        while (true)
        {
            var fromHead = Math.Min(sent, headLength);
            var fromData = sent - fromHead;
            vectors[0] = new iovec { iov_base = head + fromHead, iov_len = (nuint)(headLength - fromHead) };
            vectors[1] = new iovec { iov_base = data + fromData, iov_len = (nuint)(dataLength - fromData) };
            msghdr header = default;
            header.msg_iov = vectors;
            header.msg_iovlen = dataLength == 0 ? 1u : 2u;

            // Descriptors travel with the first byte.
            header.msg_control = sent == 0 ? control : null;
            header.msg_controllen = sent == 0 ? controlLength : 0;

            // What nobody cancels waits inside the call; shutting the socket down ends that.
            var count = Libc.sendmsg(_socket, &header, Libc.MSG_NOSIGNAL | (cancelled is null ? 0 : Libc.MSG_DONTWAIT));
            if (count >= 0)
            {
                sent += (int)count;
                if (sent == total)
                    return Errno.None;
                continue;
            }

            var error = (Errno)Marshal.GetLastPInvokeError();
            if (error == Errno.EINTR)
                continue;
            if (error != Errno.EAGAIN)
                return error == Errno.EPIPE && sent != 0 ? Errno.ECONNRESET : error;
            _wake.Clear();
            if (cancelled is { IsCancelled: true })
            {
                // A message cannot be left half sent: what would come next is read as the rest of it.
                if (sent != 0)
                    _ = Libc.shutdown(_socket, Libc.SHUT_RDWR);
                return Errno.ECANCELED;
            }

            _ = Poll.Wait(_socket, Libc.POLLOUT, _wake, cancelled?.MillisecondsLeft ?? Poll.Infinite);
        }
    }
}

/// <summary>Whether somebody who waits is to give up.</summary>
internal interface ICancelled
{
    bool IsCancelled { get; }

    /// <summary>When it will be, by itself; <see cref="Poll.Infinite"/>: never.</summary>
    int MillisecondsLeft => Poll.Infinite;
}
