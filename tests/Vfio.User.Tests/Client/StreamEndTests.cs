using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

public sealed class StreamEndTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(20_000)]
    [InlineData(3_000_000)]
    public async Task A_stream_that_is_read_in_large_pieces_comes_to_its_end(int size)
    {
        var directory = Directory.CreateTempSubdirectory("vfio-end-");
        using var end = new CancellationTokenSource();
        var endpoint = VfioUserEndpoint.Path(Path.Combine(directory.FullName, "s"));
        var server = new VfioUserServer(new MovableDevice(new byte[size], MigrationCapabilities.StopCopy));
        var running = server.RunAsync(endpoint, end.Token);
        await server.Listening;
        var device = new VfioUserDevice(endpoint, new() { ResetOnOpen = false });
        Assert.Equal(VfioResult.Success, await device.OpenAsync(new() { Dma = new DmaSpace() }, TestContext.Current.CancellationToken));
        var opened = await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, TestContext.Current.CancellationToken);
        await using (var stream = opened.Value!)
        {
            var read = 0;
            var buffer = new byte[1 << 20];
            VfioResult<int> piece;
            do
            {
                piece = await stream.ReadAsync(buffer, TestContext.Current.CancellationToken);
                Assert.Equal(Errno.None, piece.Error);
                read += piece.Value;
            }
            while (piece.Value > 0);
            Assert.Equal(sizeof(uint) + size, read);
            Assert.Equal(0, (await stream.ReadAsync(buffer, TestContext.Current.CancellationToken)).Value);
        }

        await device.CloseAsync(ResetCause.Close);
        await end.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        directory.Delete(recursive: true);
    }
}
