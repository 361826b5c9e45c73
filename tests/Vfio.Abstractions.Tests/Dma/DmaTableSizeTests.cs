namespace Vfio.Tests.Dma;

/// <summary>What a change of a full table copies.</summary>
public sealed class DmaTableSizeTests
{
    [Fact]
    public unsafe void The_array_of_chunks_is_no_large_object_with_as_many_maps_as_a_client_may_have_in_any_order()
    {
        const int LargeObject = 85_000, EntrySize = 16, Most = 1 << 20, Part = 8;
        const ulong Page = 4096;
        var order = Enumerable.Range(0, Most / Part).ToArray();
        new Random(1).Shuffle(order);
        var space = new DmaSpace();

        // Nothing of this test touches the memory.
        foreach (var slot in order)
            Assert.True(space.Map(new DmaMap((ulong)slot * 2 * Page, Page, DmaAccess.Read, (void*)Page)).IsSuccess);
        Assert.InRange(space.ChunkCount * EntrySize * Part, 1, LargeObject);
    }
}
