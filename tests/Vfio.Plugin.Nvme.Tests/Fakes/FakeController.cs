using System.Buffers.Binary;

namespace Vfio.Plugin.Nvme.Tests;

/// <summary>A primary controller that answers Identify CNS 15h from a table, byte by byte as the specification lays it out.</summary>
internal sealed class FakeController : IControllingFunctions, IControllingFunction, ICommandChannel
{
    public static readonly PciAddress PrimaryAddress = PciAddress.Parse("0000:3b:00.0");

    public List<(ushort Scid, bool Online, ushort Vfn)> Secondaries { get; } = [];

    public bool Known { get; set; } = true;

    public bool HasChannel { get; set; } = true;

    public Errno Error { get; set; }

    public ushort Status { get; set; }

    public int Commands { get; private set; }

    public PciAddress Address => PrimaryAddress;

    public IControllingFunction? Of(PciAddress controlled) => Known ? this : null;

    public TService? Get<TService>()
        where TService : class => HasChannel ? this as TService : null;

    public ValueTask<VfioResult> ExecuteAsync(
        ReadOnlyMemory<byte> command, Memory<byte> data, Memory<byte> completion, CancellationToken cancellationToken)
    {
        Commands++;
        var sqe = command.Span;
        if (command.Length != 64 || completion.Length != 16 || data.Length != 4096 || sqe[0] != 0x06 || sqe[40] != 0x15)
            return new(Errno.EINVAL);
        if (Error != Errno.None)
            return new(Error);
        BinaryPrimitives.WriteUInt16LittleEndian(completion.Span[14..], (ushort)((Status << 1) | 1));
        var from = BinaryPrimitives.ReadUInt16LittleEndian(sqe[42..]);
        var page = Secondaries.Where(s => s.Scid >= from).OrderBy(s => s.Scid).Take(127).ToList();
        data.Span.Clear();
        data.Span[0] = (byte)page.Count;
        for (var i = 0; i < page.Count; i++)
        {
            var entry = data.Span.Slice(32 + (i * 32), 32);
            BinaryPrimitives.WriteUInt16LittleEndian(entry, page[i].Scid);
            entry[4] = page[i].Online ? (byte)1 : (byte)0;
            BinaryPrimitives.WriteUInt16LittleEndian(entry[8..], page[i].Vfn);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[10..], 3);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[12..], 2);
        }

        return new(VfioResult.Success);
    }
}
