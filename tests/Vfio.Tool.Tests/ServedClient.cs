using System.Buffers.Binary;
using Vfio.User;

namespace Vfio.Tool.Tests;

/// <summary>A client of what the tool serves.</summary>
internal sealed class ServedClient(VfioUserClient client) : IDisposable
{
    private const int GetInfoCommand = 4, ReadCommand = 9, HeadSize = 16;

    public static ServedClient Connect(string path, out string version)
    {
        var client = VfioUserClient.ConnectAsync(
            VfioUserEndpoint.Path(path), cancellationToken: TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        version = $"0.{client.Server.Minor} {client.Server.Capabilities}";
        return new(client);
    }

    /// <summary>How many regions and IRQ indexes there are.</summary>
    public (uint Regions, uint Irqs) GetInfo()
    {
        var info = new byte[HeadSize];
        BinaryPrimitives.WriteInt32LittleEndian(info, HeadSize);
        Succeed(client.Call(GetInfoCommand, info, info));
        return (BinaryPrimitives.ReadUInt32LittleEndian(info.AsSpan(8)), BinaryPrimitives.ReadUInt32LittleEndian(info.AsSpan(12)));
    }

    public byte[] Read(int region, ulong offset, int count)
    {
        var (request, reply) = (new byte[HeadSize], new byte[HeadSize + count]);
        BinaryPrimitives.WriteUInt64LittleEndian(request, offset);
        BinaryPrimitives.WriteInt32LittleEndian(request.AsSpan(8), region);
        BinaryPrimitives.WriteInt32LittleEndian(request.AsSpan(12), count);
        Succeed(client.Call(ReadCommand, request, reply));
        return reply[HeadSize..];
    }

    public void Dispose() => client.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static void Succeed(VfioResult<int> result)
    {
        if (!result.IsSuccess)
            throw new VfioException(result.Error, $"the server answers {result.Error}");
    }
}
