namespace Vfio.Samples.Tests.Peers;

/// <summary>Moving a device's state by its own migration, in process.</summary>
internal static class Migrations
{
    /// <summary>Stops the device and reads all of its state.</summary>
    public static async Task<byte[]> SaveAsync(VfioDevice device)
    {
        await using var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, CancellationToken.None)).Value!;
        return await ReadToEndAsync(stream);
    }

    /// <summary>Reads a phase's data.</summary>
    public static async Task<byte[]> ReadToEndAsync(MigrationDataStream stream)
    {
        var all = new List<byte>();
        var piece = new byte[1000];
        while (true)
        {
            var read = await stream.ReadAsync(piece, CancellationToken.None);
            if (!read.IsSuccess)
                Assert.Equal(Errno.ENOMSG, read.Error);
            if (read.Value == 0)
                return [.. all];
            all.AddRange(piece[..read.Value]);
        }
    }

    /// <summary>Gives a device a state, in pieces of some length, and lets it run.</summary>
    /// <returns>What the device says to it.</returns>
    public static async Task<VfioResult> LoadAsync(VfioDevice device, byte[] state, int pieces = 7)
    {
        var ops = device.MigrationOps!;
        await using var stream = (await ops.SetStateAsync(MigrationState.Resuming, CancellationToken.None)).Value!;
        foreach (var piece in state.Chunk(pieces))
        {
            var written = await stream.WriteAsync(piece, CancellationToken.None);
            if (!written.IsSuccess)
                return written;
        }

        return await ops.SetStateAsync(MigrationState.Running, CancellationToken.None);
    }
}
