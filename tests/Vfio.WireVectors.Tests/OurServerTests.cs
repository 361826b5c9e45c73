using Vfio.WireVectors.Loading;
using Vfio.WireVectors.Model;
using Vfio.WireVectors.Running;
using Vfio.WireVectors.Setups;

namespace Vfio.WireVectors.Tests;

public class OurServerTests
{
    public static TheoryData<string> Setups => [.. Setup.All.Select(setup => setup.Name)];

    [Theory, MemberData(nameof(Setups))]
    public async Task Our_server_answers_every_vector_of_a_set_up_as_recorded(string setup)
    {
        var vectors = Vectors.All.Where(vector => vector.Setup == setup).ToList();
        Assert.NotEmpty(vectors);
        var results = new List<VectorResult>();
        await new Runner(new OurServers(), null, results.Add).RunAsync(vectors, TestContext.Current.CancellationToken);
        Assert.Equal(vectors.Count, results.Count);
        Assert.All(results, result => Assert.True(result.IsPassed, $"{result.Vector.Name}: {string.Join("; ", result.Differences)}"));
        Assert.All(results, result => Assert.NotEqual(0, result.Assertions));
    }

    [Fact]
    public void Every_vector_is_of_a_set_up_that_we_have()
        => Assert.DoesNotContain(Vectors.All, vector => Setup.Find(vector.Setup) is null);

    [Fact]
    public void There_are_as_many_vectors_as_the_tests_of_libvfio_user_are_worth()
        => Assert.True(Vectors.All.Sum(vector => vector.Steps.OfType<RequestStep>().Count(step => !step.NoReply)) >= 190);
}

/// <summary>The vectors that come with the program.</summary>
internal static class Vectors
{
    public static IReadOnlyList<Vector> All { get; } = VectorFile.ReadAll(VectorsCommand.OwnFiles());
}
