using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.User.Transport;

/// <summary>One connected socket, with the state of both directions. It owns the socket.</summary>
internal sealed class MessageChannel : IDisposable
{
    public MessageChannel(SafeFileHandle socket)
    {
        Socket = socket;
        Receiver = new MessageReceiver(socket);
        Sender = new MessageSender(socket);
    }

    public SafeFileHandle Socket { get; }

    public MessageReceiver Receiver { get; }

    public MessageSender Sender { get; }

    /// <summary>
    /// Ends both directions: whoever waits on the socket gets an end of stream. The descriptor stays, so that its number is not given out
    /// again.
    /// </summary>
    public void Shutdown() => _ = Libc.shutdown(Socket, Libc.SHUT_RDWR);

    public void Dispose()
    {
        Receiver.Dispose();
        Sender.Dispose();
        Socket.Dispose();
    }
}
