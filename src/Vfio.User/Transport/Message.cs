using Vfio.User.Wire;

namespace Vfio.User.Transport;

/// <summary>A whole message: header, body and descriptors. Reused for one message after the other. Not thread-safe.</summary>
internal sealed unsafe class Message(int capacity) : IDisposable
{
    public MessageHeader Header;

    public NativeBuffer Buffer { get; set; } = new(capacity);

    public int BodyLength { get; set; }

    public DescriptorList Descriptors { get; set; } = new();

    /// <summary>When it was received, as the server's clock counts.</summary>
    public long Arrived { get; set; }

    public Span<byte> Body => new(Buffer.Address, BodyLength);

    public ReadOnlyMemory<byte> BodyMemory => Buffer.Memory(0, BodyLength);

    public void Dispose()
    {
        Descriptors.CloseAll();
        Buffer.Dispose();
    }
}
